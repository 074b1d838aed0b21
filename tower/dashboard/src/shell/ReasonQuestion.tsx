import { Button, Group, Modal, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";

/** Asks why something of an app is changed. */
export function ReasonQuestion({
  app,
  onAnswer,
  onClose,
}: {
  app: string;
  onAnswer: (reason: string) => void;
  onClose: () => void;
}) {
  const [reason, setReason] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onAnswer(reason.trim());
  };
  return (
    <Modal opened onClose={onClose} title={`${app} asks for a reason`}>
      <form onSubmit={submit}>
        <TextInput
          data-autofocus
          label="Why do you change this?"
          description="It stands in the log beside the change."
          maxLength={500}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <Group justify="flex-end" mt="md" gap="xs">
          <Button variant="default" onClick={onClose}>
            Change nothing
          </Button>
          <Button type="submit" disabled={reason.trim() === ""}>
            Change it
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
