import { Alert, Stack, Text, Textarea, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useMemo } from "react";
import type { ProblemError } from "@/api/problem";
import { count, counted } from "@/components/numbers";
import { problemAt } from "@/features/flag/editing/problems";
import { attributesIn, useAppFlags } from "@/features/flag/targeting/app_flags";
import { KeyList } from "@/features/flag/targeting/lists/KeyList";
import { inBoth } from "@/features/flag/targeting/lists/pasted";
import { Conditions } from "@/features/flag/targeting/rules/Conditions";
import { conditionsInWords } from "@/features/flag/targeting/rules/words";
import { type SegmentDraft, segmentInWords } from "./draft";
import styles from "./segments.module.css";

const MOST_MEMBERS = 10_000;

/** What a segment consists of: who is in, who is not, and conditions for all others. */
export function SegmentForm({
  app,
  draft,
  change,
  readOnly,
  problem,
}: {
  app: string;
  draft: SegmentDraft;
  change: (fields: Partial<SegmentDraft>) => void;
  readOnly: boolean;
  problem: ProblemError | null;
}) {
  const { flags } = useAppFlags(app);
  const known = useMemo(
    () => ({ attributes: attributesIn([...flags.flatMap(({ rules }) => rules), draft]), segments: null }),
    [flags, draft],
  );
  const both = useMemo(() => inBoth(draft.include, draft.exclude), [draft.include, draft.exclude]);
  const at = (field: string) => problemAt({ problem }, field) ?? null;
  const members = draft.include.length + draft.exclude.length;
  return (
    <Stack gap={16}>
      <Text fw={500} aria-live="polite" style={{ overflowWrap: "anywhere" }}>
        {segmentInWords(draft)}
      </Text>
      {!readOnly && (
        <Textarea
          label="Description"
          maw={640}
          autosize
          minRows={1}
          maxRows={6}
          value={draft.description}
          onChange={(event) => change({ description: event.currentTarget.value })}
          error={at("description")}
        />
      )}
      <div className={styles.columns}>
        <section className={styles.card} aria-labelledby="included">
          <Title order={2} id="included" mb={4}>
            Members
          </Title>
          <Text size="sm" c="var(--quiet)" mb={8}>
            Targeting keys, or values of the attribute that a condition on the segment names.
          </Text>
          <KeyList
            name="members"
            noun="member"
            keys={draft.include}
            change={(include) => change({ include })}
            readOnly={readOnly}
            problem={at("include")}
          />
        </section>
        <section className={styles.card} aria-labelledby="excluded">
          <Title order={2} id="excluded" mb={4}>
            Excluded
          </Title>
          <Text size="sm" c="var(--quiet)" mb={8}>
            They are not in it, whatever the members and the conditions say.
          </Text>
          <KeyList
            name="excluded"
            keys={draft.exclude}
            change={(exclude) => change({ exclude })}
            readOnly={readOnly}
            problem={at("exclude")}
          />
        </section>
      </div>
      {both.length > 0 && (
        <Alert p={8} color="gray" variant="outline" icon={<IconAlertTriangle />} role="status">
          {both.length === 1 ? `${both[0]} is on both lists` : `${counted(both.length, "key")} are on both lists`}, and
          so not in the segment.
        </Alert>
      )}
      {members > MOST_MEMBERS && (
        <Alert p={8} color="gray" variant="outline" icon={<IconAlertTriangle />} role="alert">
          A segment has at most {count(MOST_MEMBERS)} keys in both lists together; these are {count(members)}. Larger
          groups need a condition on an attribute.
        </Alert>
      )}
      <section className={styles.card} aria-labelledby="conditions">
        <Title order={2} id="conditions" mb={4}>
          Conditions
        </Title>
        <Text size="sm" c="var(--quiet)" mb={8}>
          {draft.when.length === 0
            ? "None: only members are in it."
            : "Users for whom all of these hold are in it as well."}
        </Text>
        {readOnly ? (
          draft.when.length > 0 && <Text>{conditionsInWords(draft.when)}</Text>
        ) : (
          <Conditions
            when={draft.when}
            change={(when) => change({ when })}
            known={known}
            least={0}
            problemAt={(field) => at(`when.${field}`)}
          />
        )}
      </section>
    </Stack>
  );
}
