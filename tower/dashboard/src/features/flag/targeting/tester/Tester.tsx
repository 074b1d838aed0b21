import { Alert, Paper, Skeleton, Stack, Tabs, Text, Title } from "@mantine/core";
import { useDebouncedValue, useLocalStorage } from "@mantine/hooks";
import { useEffect, useMemo } from "react";
import { sentenceOf } from "@/api/problem";
import type { Editing } from "@/features/flag/editing/useEditing";
import { ContextForm } from "./ContextForm";
import { type Asked, attributesOf, NOBODY, withRecent } from "./contexts";
import { triedChange, useEvaluation } from "./evaluate";
import { ManyKeys } from "./ManyKeys";
import { Told } from "./Told";
import { type Decided, decidedBy } from "./told";

const DEBOUNCE_MS = 250;

interface Remembered {
  asked: Asked;
  recent: Asked[];
}

/** Who would get it: the draft as it stands, tried out for anybody, and which line decides. */
export function Tester({
  editing: { saved, draft },
  attributes: known,
  decided,
}: {
  editing: Editing;
  attributes: readonly string[];
  /** Told which line decides, so that the list beside can mark it. */
  decided: (line: Decided | null) => void;
}) {
  const [{ asked, recent }, remember] = useLocalStorage<Remembered>({
    key: `tailslide-contexts-${saved.app}`,
    defaultValue: { asked: NOBODY, recent: [] },
    getInitialValueInEffect: false,
  });
  const { attributes } = useMemo(() => attributesOf(asked.rows), [asked.rows]);
  const change = useMemo(() => triedChange(saved, draft), [saved, draft]);
  const nobody = asked.key === "" && Object.keys(attributes).length === 0;
  const now = useMemo(
    () => ({ change, context: nobody ? null : { targeting_key: asked.key === "" ? null : asked.key, attributes } }),
    [change, nobody, asked.key, attributes],
  );
  const [tried] = useDebouncedValue(now, DEBOUNCE_MS);
  const evaluation = useEvaluation(saved, tried.change, tried.context);
  const answer = tried.context === null || evaluation.isError ? undefined : evaluation.data?.answers[0];
  const who = asked.key === "" ? "a call without a key" : asked.key;
  useEffect(() => decided(answer === undefined ? null : decidedBy(answer, who)), [answer, who, decided]);
  useEffect(() => () => decided(null), [decided]);

  return (
    <Paper
      component="section"
      withBorder
      p="md"
      aria-label="Who would get it?"
      // Whoever was asked for when the form is left can be asked for again.
      onBlur={() => !nobody && remember((before) => ({ ...before, recent: withRecent(before.recent, before.asked) }))}
    >
      <Title order={2} mb={4}>
        Who would get it?
      </Title>
      <Text size="sm" c="var(--quiet)" mb={12}>
        {change === null ? "Tried with the flag as it is now." : "Tried with your changes, before they are saved."}
      </Text>
      <Tabs defaultValue="one" keepMounted={false}>
        <Tabs.List mb={12}>
          <Tabs.Tab value="one">One user</Tabs.Tab>
          <Tabs.Tab value="many">Many keys</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="one">
          <Stack gap={16}>
            <ContextForm
              asked={asked}
              change={(next) => remember((before) => ({ ...before, asked: next }))}
              recent={recent}
              attributes={known}
            />
            {tried.context === null && (
              <Text size="sm" c="var(--quiet)">
                Write a targeting key or an attribute: the answer and the line that decides appear here.
              </Text>
            )}
            {tried.context !== null && evaluation.isPending && <Skeleton height={160} aria-label="Loading" />}
            {tried.context !== null && evaluation.isError && (
              <Alert color="gray" variant="outline" role="alert" title="This cannot be tried as it is">
                {sentenceOf(evaluation.error)}
              </Alert>
            )}
            {answer !== undefined && evaluation.data !== undefined && (
              <Told evaluation={evaluation.data} answer={answer} who={who} offVariant={draft.off_variant} />
            )}
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="many">
          <ManyKeys saved={saved} change={change} attributes={attributes} />
        </Tabs.Panel>
      </Tabs>
    </Paper>
  );
}
