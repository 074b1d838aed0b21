import { Alert, Box, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { count, counted, percent } from "@/components/numbers";
import { segmentsQuery } from "@/features/segments/api";
import { problemAt as problemOf } from "../editing/problems";
import type { Editing } from "../editing/useEditing";
import { type Answered, answersInWords, countedAs, useAnswered } from "./answered";
import { attributesIn, useAppFlags } from "./app_flags";
import { Line } from "./Line";
import { KeyList } from "./lists/KeyList";
import { inBoth } from "./lists/pasted";
import { Requirements } from "./requires/Requirements";
import { BucketBy, Percentage } from "./rollout/Rollout";
import { reachInWords, rolloutChangeInWords, rolloutInWords } from "./rollout/words";
import { Rules } from "./rules/Rules";
import { splitInWords } from "./rules/words";
import styles from "./targeting.module.css";
import { Tester } from "./tester/Tester";
import type { Decided, LineName } from "./tester/told";
import { VariantsEditor } from "./variants/VariantsEditor";

/** Who gets what, from top to bottom as it is evaluated, and beside it whom that would reach. */
export function TargetingTab({ editing }: { editing: Editing }) {
  const { saved, draft, change, readOnly } = editing;
  const [decided, setDecided] = useState<Decided | null>(null);
  const answered = useAnswered(saved);
  const { flags } = useAppFlags(saved.app);
  const segments = useQuery(segmentsQuery(saved.app));
  const attributes = useMemo(() => attributesIn(flags.flatMap(({ rules }) => rules)), [flags]);
  const known = useMemo(() => ({ attributes, segments: segments.data ?? [] }), [attributes, segments.data]);
  const problemAt = (field: string) => problemOf(editing, field) ?? null;
  const decides = (...lines: LineName[]) => (decided !== null && lines.includes(decided.line) ? decided.who : null);
  const answers = <T,>(say: (answered: Answered) => T): T | string | undefined =>
    answered.data === undefined ? (answered.isError ? "Answers are not known now" : undefined) : say(answered.data);
  const both = useMemo(() => inBoth(draft.allow, draft.deny), [draft.allow, draft.deny]);

  return (
    <div className={`${styles.columns} ${styles.touch}`}>
      <Box component="section" aria-labelledby="lines-heading">
        <Title order={2} id="lines-heading">
          Who gets it
        </Title>
        <Text size="sm" c="var(--quiet)" mb={12}>
          The first line that applies decides.
        </Text>
        <ol className={styles.lines}>
          <Line
            number={1}
            title="On, and the circuit closed"
            says={`While the flag is off or its circuit is open, everybody gets ${draft.off_variant}.`}
            answers={answers(({ all }) =>
              all === 0 ? "No answers in the last hour" : `${answersInWords(all)} in all`,
            )}
            decidesFor={decides("active", "circuit", "unknown")}
          />
          <Line
            number={2}
            title="Prerequisites"
            says={
              draft.requires.length === 0
                ? "No other flag is required."
                : `Users get ${draft.off_variant} unless ${draft.requires.length === 1 ? "this is" : "all of these are"} met.`
            }
            decidesFor={decides("requires")}
          >
            {(draft.requires.length > 0 || !readOnly) && (
              <Requirements
                flag={saved}
                requires={draft.requires}
                change={(requires) => change({ requires })}
                others={flags}
                readOnly={readOnly}
                problemAt={problemAt}
              />
            )}
          </Line>
          <Line
            number={3}
            title="Deny list"
            says={`Users on it get ${draft.off_variant}, whatever else holds.`}
            decidesFor={decides("deny")}
          >
            <KeyList
              name="deny list"
              keys={draft.deny}
              change={(deny) => change({ deny })}
              readOnly={readOnly}
              problem={problemAt("deny")}
            />
          </Line>
          <Line
            number={4}
            title="Allow list"
            says={`Users on it are in: they get ${splitInWords(draft.split)}, while the circuit recovers too.`}
            decidesFor={decides("allow")}
          >
            <KeyList
              name="allow list"
              keys={draft.allow}
              change={(allow) => change({ allow })}
              readOnly={readOnly}
              problem={problemAt("allow")}
            />
            {both.length > 0 && (
              <Alert mt={8} p={8} color="gray" variant="outline" icon={<IconAlertTriangle />} role="status">
                {bothInWords(both)}
              </Alert>
            )}
          </Line>
          <Line
            number={5}
            title="Rules"
            says={
              draft.rules.length === 0
                ? "No rules: the rollout decides."
                : "The first rule whose conditions all hold decides."
            }
            answers={draft.rules.length === 0 ? undefined : answers((all) => answersInWords(sumOf(all.rules)))}
            decidesFor={decides("rule")}
          >
            {(draft.rules.length > 0 || !readOnly) && (
              <Rules
                rules={draft.rules}
                change={(rules) => change({ rules })}
                around={draft}
                known={known}
                readOnly={readOnly}
                answers={(rule) => {
                  const name = countedAs(rule, saved.rules);
                  return name === null ? "not saved yet" : (answers((all) => answersInWords(all.rules[name])) ?? "");
                }}
                decides={decided?.rule == null ? null : { place: decided.rule, who: decided.who }}
                problemAt={(field) => problemAt(`rules.${field}`)}
              />
            )}
          </Line>
          <Line
            number={6}
            title={`Rollout: ${percent(draft.rollout)}`}
            answers={answers((all) => withoutRuleInWords(all))}
            decidesFor={decides("rollout")}
          >
            <Stack gap={12}>
              {!readOnly && (
                <Percentage
                  label="Rollout"
                  value={draft.rollout}
                  change={(rollout) => change({ rollout })}
                  problem={problemAt("rollout")}
                />
              )}
              <Text size="sm" aria-live="polite">
                {[rolloutInWords(draft), rolloutChangeInWords(saved, draft), reachInWords(saved.state.arrived.of)].join(
                  " ",
                )}
              </Text>
              {readOnly ? (
                draft.bucket_by !== null && <Text size="sm">Users are told apart by {draft.bucket_by}.</Text>
              ) : (
                <BucketBy
                  value={draft.bucket_by}
                  change={(bucket_by) => change({ bucket_by })}
                  problem={problemAt("bucket_by")}
                />
              )}
            </Stack>
          </Line>
          <Line
            number={7}
            title="Variants"
            says={`Users who are in get ${splitInWords(draft.split)}. The others get ${draft.off_variant}.`}
            answers={answers(({ variants }) =>
              Object.keys(variants).length === 0
                ? undefined
                : `In the last hour: ${Object.entries(variants)
                    .map(([variant, many]) => `${variant} ${count(many)}`)
                    .join(" · ")}`,
            )}
            decidesFor={null}
          >
            <VariantsEditor fields={draft} change={change} readOnly={readOnly} saved={saved} problemAt={problemAt} />
          </Line>
        </ol>
      </Box>
      <div className={styles.beside}>
        <Tester editing={editing} attributes={attributes} decided={setDecided} />
      </div>
    </div>
  );
}

function sumOf(counts: Readonly<Record<string, number>>): number | undefined {
  const each = Object.values(counts);
  return each.length === 0 ? undefined : each.reduce((sum, one) => sum + one, 0);
}

/** What is left when the answers of rules are taken away: lists, prerequisites and the circuit are not counted apart. */
function withoutRuleInWords(all: Answered): string {
  const left = all.all - (sumOf(all.rules) ?? 0);
  return left <= 0
    ? "No answers in the last hour"
    : `${counted(left, "answer")} in the last hour without a rule, lists included`;
}

function bothInWords(keys: readonly string[]): string {
  const [first] = keys;
  return keys.length === 1
    ? `${first} is on both lists. The deny list wins.`
    : `${counted(keys.length, "key")} are on both lists, ${first} among them. The deny list wins.`;
}
