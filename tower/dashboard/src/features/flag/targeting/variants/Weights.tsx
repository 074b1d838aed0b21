import { Group, NumberInput, Stack, Text } from "@mantine/core";
import { share } from "@/components/numbers";
import styles from "../targeting.module.css";
import { percentages, type Share, type Split, withWeight } from "./split";

export const MOST_WEIGHT = 1_000_000;

/** Tones of one colour by place, so that neighbours differ; names and numbers stand beside. */
const TONES = ["#3b52c9", "#7c93f5", "#27357f", "#a9b8ff", "#5368d8"];

/** How a split divides users, as a bar. The numbers stand in words beside it. */
export function SplitBar({ split }: { split: Split }) {
  return (
    <div className={styles.shares} aria-hidden>
      {percentages(split).map(({ variant, percent }, place) => (
        <div
          key={variant}
          className={styles.share}
          style={{ width: `${percent}%`, background: TONES[place % TONES.length] }}
        />
      ))}
    </div>
  );
}

/** A weight, with the part of users that it comes to. Empty or 0 is not in the split. */
export function Weight({
  variant,
  split,
  change,
  of,
}: {
  variant: string;
  split: Split;
  change: (split: Share[]) => void;
  /** What the split belongs to, for the name of the field. */
  of: string;
}) {
  const found = percentages(split).find((each) => each.variant === variant);
  return (
    <Group gap={8} wrap="nowrap">
      <NumberInput
        w={88}
        aria-label={`Weight of ${variant} ${of}`}
        min={0}
        max={MOST_WEIGHT}
        step={1}
        allowDecimal={false}
        clampBehavior="strict"
        placeholder="0"
        value={found?.weight ?? ""}
        onChange={(weight) => change(withWeight(split, variant, typeof weight === "number" ? weight : 0))}
      />
      <Text size="sm" c="var(--quiet)" w={52} ta="right">
        {found === undefined || found.weight === 0 ? "nobody" : share(found.percent)}
      </Text>
    </Group>
  );
}

/** The weights of all variants, for a rule that has a split of its own. */
export function Weights({
  variants,
  split,
  change,
  of,
}: {
  variants: readonly string[];
  split: Split;
  change: (split: Share[]) => void;
  of: string;
}) {
  return (
    <Stack gap={8} maw={420}>
      {variants.map((variant) => (
        <Group key={variant} gap={8} justify="space-between" wrap="nowrap">
          <Text size="sm" truncate>
            {variant}
          </Text>
          <Weight variant={variant} split={split} change={change} of={of} />
        </Group>
      ))}
      <SplitBar split={split} />
    </Stack>
  );
}
