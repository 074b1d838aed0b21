import { Alert, Button, Group, Modal, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { ProblemError } from "@/api/problem";
import { paths } from "@/shell/paths";
import { GivenUp } from "@/shell/reason";
import { type App, useAppChanges } from "./api";

/** Delete an archived app for good; its key has to be written. */
export function DeleteApp({ app, close }: { app: App; close: () => void }) {
  const navigate = useNavigate();
  const { remove } = useAppChanges(app);
  const [typed, setTyped] = useState("");
  const refused = remove.error instanceof ProblemError ? remove.error : null;
  const send = (event: FormEvent) => {
    event.preventDefault();
    remove.mutate(undefined, {
      onSuccess: () => void navigate(paths.apps),
      onError: (error) => error instanceof GivenUp && remove.reset(),
    });
  };
  return (
    <Modal opened onClose={close} title={`Delete ${app.key} for good`}>
      <form onSubmit={send}>
        <Text mb="md">
          Its flags, segments and SDK keys are deleted with it, and sidecars that use those keys are not let in any
          more. Its log stays. This cannot be undone.
        </Text>
        <TextInput
          data-autofocus
          label={`Write ${app.key} to delete it`}
          value={typed}
          onChange={({ currentTarget: { value } }) => setTyped(value)}
          autoComplete="off"
        />
        {refused !== null && (
          <Alert color="gray" variant="outline" mt="md" role="alert">
            {refused.message}
          </Alert>
        )}
        <Group justify="flex-end" mt="md" gap="xs">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button type="submit" disabled={typed !== app.key} loading={remove.isPending}>
            Delete {app.key} and all that it has
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
