import { Alert, Badge, Code, Group, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconArrowNarrowRight, IconCheck, IconMinus, IconX } from "@tabler/icons-react";
import styles from "../targeting.module.css";
import type { Answer, Evaluation } from "./evaluate";
import { type Mark, type ToldLine, toldLines, whyInWords } from "./told";

/** What somebody gets, why, and what each line of the flag came to. */
export function Told({
  evaluation,
  answer,
  who,
  offVariant,
}: {
  evaluation: Evaluation;
  answer: Answer;
  who: string;
  offVariant: string;
}) {
  return (
    <Stack gap={8}>
      <div role="status">
        <Group gap={8}>
          <Text fw={600} style={{ overflowWrap: "anywhere" }}>
            {answer.variant === null ? `${who} gets the caller's default` : `${who} gets ${answer.variant}`}
          </Text>
          <Badge tt="none" variant={answer.active ? "filled" : "default"}>
            {answer.active ? "In" : "Out"}
          </Badge>
        </Group>
        {answer.variant !== null && <Code style={{ overflowWrap: "anywhere" }}>{JSON.stringify(answer.value)}</Code>}
        <Text size="sm" mt={4}>
          {whyInWords(answer)}
        </Text>
        {answer.is_error && (
          <Text size="sm" mt={4}>
            OpenFeature's clients get the error {answer.reason} and use their own default; others get {offVariant}.
          </Text>
        )}
      </div>
      <CircuitNote evaluation={evaluation} />
      <ul className={styles.told} aria-label="Line by line">
        {toldLines(evaluation, answer).map((line, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity besides their place
          <Row key={place} line={line} />
        ))}
      </ul>
    </Stack>
  );
}

/** What the circuit does to everybody now, whoever is asked for. */
export function CircuitNote({
  evaluation: { circuit, percentage, circuits_known, archived },
}: {
  evaluation: Evaluation;
}) {
  const says = archived
    ? "The flag is archived: sidecars do not get it, so everybody gets their caller's default."
    : !circuits_known
      ? "Circuits are not known now; the answer is as if this one were closed."
      : circuit === "open"
        ? "The circuit is open: nobody gets it, whatever the lines below say."
        : circuit === "recovering"
          ? `The circuit is recovering: only ${percentage}% of the rollout is let in now.`
          : null;
  if (says === null) return null;
  return (
    <Alert color="gray" variant="outline" icon={<IconAlertTriangle />} p={8}>
      {says}
    </Alert>
  );
}

function Row({ line }: { line: ToldLine }) {
  return (
    <li
      className={line.mark === "decides" ? styles.toldDecides : undefined}
      data-later={line.later || undefined}
      aria-current={line.mark === "decides" || undefined}
    >
      <MarkIcon mark={line.mark} />
      <div>
        {line.text}
        {line.mark === "decides" && " · decides"}
        {line.parts.length > 0 && (
          <ul className={styles.told} style={{ fontWeight: 400 }}>
            {line.parts.map((part, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: conditions have no identity besides their place
              <li key={place}>
                <MarkIcon mark={part.mark} />
                <span>{part.text}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
    </li>
  );
}

const MARKS: Readonly<Record<Mark, { icon: typeof IconCheck; word: string }>> = {
  decides: { icon: IconArrowNarrowRight, word: "Decides" },
  passed: { icon: IconMinus, word: "Passed" },
  holds: { icon: IconCheck, word: "Holds" },
  fails: { icon: IconX, word: "Does not hold" },
  none: { icon: IconMinus, word: "" },
};

function MarkIcon({ mark }: { mark: Mark }) {
  const { icon: Icon, word } = MARKS[mark];
  return <Icon size={16} role="img" aria-label={word} style={{ marginTop: 2 }} />;
}
