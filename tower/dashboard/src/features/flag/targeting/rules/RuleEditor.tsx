import { SegmentedControl, Select, Stack, Switch, Text, TextInput } from "@mantine/core";
import type { Draft } from "@/features/flag/editing/draft";
import { Percentage } from "../rollout/Rollout";
import { Weights } from "../variants/Weights";
import type { Known } from "./ConditionEditor";
import { Conditions } from "./Conditions";
import { type Rule, ruleInWords } from "./words";

type Around = Pick<Draft, "split" | "off_variant" | "variants">;

/** One rule, being edited: its name, its conditions, and what those get for whom they hold. */
export function RuleEditor({
  rule,
  place,
  change,
  around,
  known,
  problemAt,
}: {
  rule: Rule;
  place: number;
  change: (rule: Rule) => void;
  around: Around;
  known: Known;
  /** What the server refused in this rule: `when.0.values`, `name`, … */
  problemAt: (field: string) => string | null;
}) {
  const variants = Object.keys(around.variants);
  const first = around.split[0]?.variant ?? variants[0] ?? "";
  const { when, name = null } = rule;
  const give = (kind: string) =>
    change(kind === "variant" ? { name, when, variant: first } : { name, when, rollout: 100, split: null });
  return (
    <Stack gap={12}>
      <Conditions
        when={when}
        change={(next) => change({ ...rule, when: next })}
        known={known}
        least={0}
        problemAt={(field) => problemAt(`when.${field}`)}
      />
      {when.length === 0 && problemAt("when") !== null && (
        <Text size="sm" c="var(--mantine-color-error)">
          {problemAt("when")}
        </Text>
      )}
      <SegmentedControl
        maw={420}
        aria-label="What they get"
        data={[
          { value: "rollout", label: "A percentage of them" },
          { value: "variant", label: "One variant for all" },
        ]}
        value={rule.variant == null ? "rollout" : "variant"}
        onChange={give}
      />
      {rule.variant != null ? (
        <Select
          maw={280}
          label="Variant"
          data={variants}
          allowDeselect={false}
          value={rule.variant}
          onChange={(variant) => variant !== null && change({ ...rule, variant })}
          error={problemAt("variant")}
        />
      ) : (
        <>
          <Percentage
            label={`Rollout of rule ${place + 1}`}
            value={rule.rollout ?? 100}
            change={(rollout) => change({ ...rule, rollout })}
            problem={problemAt("rollout")}
          />
          {variants.length > 1 && (
            <Switch
              label="A split of its own, in place of the flag's"
              checked={rule.split != null}
              onChange={(event) =>
                change({
                  ...rule,
                  split: event.currentTarget.checked ? around.split.map((each) => ({ ...each })) : null,
                })
              }
            />
          )}
          {rule.split != null && (
            <Weights
              variants={variants}
              split={rule.split}
              change={(split) => change({ ...rule, split })}
              of={`in rule ${place + 1}`}
            />
          )}
          {problemAt("split") !== null && (
            <Text size="sm" c="var(--mantine-color-error)">
              {problemAt("split")}
            </Text>
          )}
        </>
      )}
      <TextInput
        maw={280}
        label="Name"
        description="Answers and graphs call the rule by it; without one, by its place."
        maxLength={100}
        placeholder={String(place + 1)}
        value={name ?? ""}
        onChange={(event) =>
          change({ ...rule, name: event.currentTarget.value === "" ? null : event.currentTarget.value })
        }
        error={problemAt("name")}
      />
      <Text size="sm" fw={500} aria-live="polite">
        {ruleInWords(rule, around)}
      </Text>
    </Stack>
  );
}
