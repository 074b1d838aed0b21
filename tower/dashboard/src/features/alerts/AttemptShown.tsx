import { Alert, Code, Text } from "@mantine/core";
import { IconCheck, IconX } from "@tabler/icons-react";
import { ErrorState } from "@/components/views";
import { adviceFor } from "./advice";
import type { Attempt, useWebhookChanges } from "./api";

/** What came of trying a webhook out: how the receiver really answered, and what to do where it did not take it. */
export function AttemptShown({ tryOut }: { tryOut: ReturnType<typeof useWebhookChanges>["tryOut"] }) {
  return (
    <div aria-live="polite">
      {tryOut.isError && <ErrorState error={tryOut.error} />}
      {tryOut.data !== undefined && !tryOut.isPending && <Answer attempt={tryOut.data} />}
    </div>
  );
}

function Answer({ attempt }: { attempt: Attempt & { tookMs: number } }) {
  const status = attempt.status === null ? "No answer" : `Status ${attempt.status}`;
  const advice = adviceFor(attempt.status, attempt.error);
  return (
    <Alert
      mt="xs"
      color={attempt.delivered ? "accent" : "gray"}
      variant="outline"
      icon={attempt.delivered ? <IconCheck /> : <IconX />}
      title={attempt.delivered ? "The sample was taken" : "The sample was not taken"}
    >
      <Text size="sm">
        {status}, after {Math.round(attempt.tookMs)} ms.
        {attempt.error !== null && ` ${sentence(attempt.error)}`}
        {attempt.delivered && " Look at the receiver: the sample says that nothing has happened."}
      </Text>
      {attempt.answer !== null && attempt.answer !== "" && (
        <Code block mt="xs" mah={160} tabIndex={0} style={{ overflow: "auto" }}>
          {attempt.answer}
        </Code>
      )}
      {advice !== null && (
        <Text size="sm" mt="xs">
          {advice}
        </Text>
      )}
    </Alert>
  );
}

/** Errors come as parts of sentences: begin with a capital, end with a full stop. */
export function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
