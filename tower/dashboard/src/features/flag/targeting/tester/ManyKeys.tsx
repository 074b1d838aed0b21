import { Alert, Button, Checkbox, Group, Stack, Table, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { sentenceOf } from "@/api/problem";
import { count, counted, share } from "@/components/numbers";
import type { Flag, FlagChange } from "@/features/flags/api";
import { KeysField } from "../lists/KeysField";
import { keysIn } from "../lists/pasted";
import { type Answer, type Evaluation, evaluateMany } from "./evaluate";
import { CircuitNote } from "./Told";
import { csvOf, REASONS, tallied } from "./table";

const MOST_KEYS = 50_000;

interface Run {
  evaluations: Evaluation[];
  answers: Answer[];
}

/** A pasted list of keys: how many get what, for which reason, and all answers as a file. */
export function ManyKeys({
  saved,
  change,
  attributes,
}: {
  saved: Flag;
  change: FlagChange | null;
  /** Those of the form above, for all keys alike. */
  attributes: Record<string, unknown>;
}) {
  const [text, setText] = useState("");
  const [withAttributes, setWithAttributes] = useState(false);
  const [done, setDone] = useState<number | null>(null);
  const [run, setRun] = useState<Run | null>(null);
  const [error, setError] = useState<unknown>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const keys = useMemo(() => [...new Set(keysIn(text))], [text]);
  const any = Object.keys(attributes).length > 0;

  const evaluate = async () => {
    const controller = new AbortController();
    const { signal } = controller;
    stop.current = controller;
    setDone(0);
    setError(null);
    try {
      const evaluations = await evaluateMany(
        saved,
        change,
        keys,
        any && withAttributes ? attributes : null,
        setDone,
        signal,
      );
      setRun({ evaluations, answers: evaluations.flatMap((each) => each.answers) });
    } catch (problem) {
      if (!signal.aborted) setError(problem);
    } finally {
      if (!signal.aborted) setDone(null);
    }
  };
  return (
    <Stack gap={8}>
      <KeysField
        label="Targeting keys"
        description="Pasted from anywhere: line breaks, commas, tabs or semicolons between them."
        rows={6}
        value={text}
        write={setText}
        error={
          keys.length > MOST_KEYS ? `At most ${count(MOST_KEYS)} keys at once; these are ${count(keys.length)}.` : null
        }
      />
      {any && (
        <Checkbox
          size="xs"
          label="Each with the attributes above"
          checked={withAttributes}
          onChange={(event) => setWithAttributes(event.currentTarget.checked)}
        />
      )}
      <Group gap={8}>
        <Button
          size="compact-sm"
          disabled={keys.length === 0 || keys.length > MOST_KEYS}
          loading={done !== null}
          onClick={() => void evaluate()}
        >
          {keys.length === 0 ? "Try them" : `Try ${counted(keys.length, "key")}`}
        </Button>
        {done !== null && (
          <Text size="sm" c="var(--quiet)" role="status">
            {count(done)} of {count(keys.length)}
          </Text>
        )}
      </Group>
      {error !== null && (
        <Alert color="gray" variant="outline" role="alert">
          {sentenceOf(error)}
        </Alert>
      )}
      {run !== null && <Tally run={run} flag={saved.key} />}
    </Stack>
  );
}

function Tally({ run: { evaluations, answers }, flag }: { run: Run; flag: string }) {
  const { variants, reasons } = useMemo(() => tallied(answers), [answers]);
  const first = evaluations[0];
  const part = (of: number) => share((of / answers.length) * 100);
  return (
    <Stack gap={8} role="status">
      {first !== undefined && <CircuitNote evaluation={first} />}
      <Table captionSide="top" fz="sm">
        <Table.Caption ta="left">What {counted(answers.length, "key")} get</Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Answer</Table.Th>
            <Table.Th ta="right">Keys</Table.Th>
            <Table.Th ta="right">Part</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {variants.map(({ variant, active, answers: many }) => (
            <Table.Tr key={variant}>
              <Table.Td>
                {variant}{" "}
                <Text span c="var(--quiet)" size="xs">
                  ({active ? "in" : "out"})
                </Text>
              </Table.Td>
              <Table.Td ta="right">{count(many)}</Table.Td>
              <Table.Td ta="right">{part(many)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Table captionSide="top" fz="sm">
        <Table.Caption ta="left">Why</Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Reason</Table.Th>
            <Table.Th ta="right">Keys</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {reasons.map(({ reason, rule, answers: many }) => (
            <Table.Tr key={`${reason} ${rule}`}>
              <Table.Td>
                {rule === null ? REASONS[reason] : `rule ${rule}: ${REASONS[reason]}`}{" "}
                <Text span c="var(--quiet)" size="xs">
                  {reason}
                </Text>
              </Table.Td>
              <Table.Td ta="right">{count(many)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <div>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconDownload size={14} />}
          onClick={() => download(`${flag}-answers.csv`, csvOf(answers))}
        >
          Download as CSV
        </Button>
      </div>
    </Stack>
  );
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
