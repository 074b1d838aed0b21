import { Button, Group, Modal, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { createContext, type FormEvent, type ReactNode, useCallback, useContext, useState } from "react";
import { appQuery } from "@/features/apps/api";

/** The person did not want to give a reason, so nothing was changed. */
export class GivenUp extends Error {}

type Ask = (app: string) => Promise<string | undefined>;

const Reason = createContext<Ask | null>(null);

/**
 * Ask why something is changed, for the log, where the app wants to know. Gives undefined where it does not, and throws
 * `GivenUp` when the person closes the question.
 */
export function useReason(): Ask {
  const ask = useContext(Reason);
  if (ask === null) throw new Error("useReason is used outside of ReasonProvider");
  return ask;
}

interface Question {
  app: string;
  answer: (reason: string) => void;
  giveUp: () => void;
}

export function ReasonProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const [reason, setReason] = useState("");
  const ask = useCallback<Ask>(
    async (app) => {
      const { requires_reason } = await queries.ensureQueryData(appQuery(app));
      if (!requires_reason) return undefined;
      return new Promise<string>((answer, refuse) => {
        setReason("");
        setQuestion({ app, answer, giveUp: () => refuse(new GivenUp("No reason was given.")) });
      });
    },
    [queries],
  );
  const close = () => {
    question?.giveUp();
    setQuestion(null);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    question?.answer(reason.trim());
    setQuestion(null);
  };
  return (
    <Reason value={ask}>
      {children}
      <Modal opened={question !== null} onClose={close} title={`${question?.app ?? "The app"} asks for a reason`}>
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
            <Button variant="default" onClick={close}>
              Change nothing
            </Button>
            <Button type="submit" disabled={reason.trim() === ""}>
              Change it
            </Button>
          </Group>
        </form>
      </Modal>
    </Reason>
  );
}
