import { Button, Stack } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import styles from "../targeting.module.css";
import { ConditionEditor, type Known } from "./ConditionEditor";
import type { Condition } from "./operators";
import { useRowIds } from "./row_ids";

/** The conditions of a rule or a segment, all of which have to hold. */
export function Conditions({
  when,
  change,
  known,
  least,
  problemAt,
}: {
  when: readonly Condition[];
  change: (when: Condition[]) => void;
  known: Known;
  /** How many there have to be. */
  least: number;
  /** What the server refused, from `0.values` on. */
  problemAt: (field: string) => string | null;
}) {
  const ids = useRowIds(when.length);
  return (
    <Stack gap={4} className={styles.touch}>
      {when.map((condition, place) => (
        <div key={ids.at(place)}>
          {place > 0 && <div className={styles.and}>and</div>}
          <ConditionEditor
            condition={condition}
            change={(next) => change(when.map((each, index) => (index === place ? next : each)))}
            remove={
              when.length <= least
                ? null
                : () => {
                    ids.removed(place);
                    change(when.filter((_, index) => index !== place));
                  }
            }
            known={known}
            problemAt={(field) => problemAt(`${place}.${field}`)}
          />
        </div>
      ))}
      <div>
        <Button
          mt={4}
          size="compact-sm"
          variant="default"
          leftSection={<IconPlus size={14} />}
          onClick={() => change([...when, { attribute: "", operator: "in", values: [] }])}
        >
          {when.length === 0 ? "Add a condition" : "And another condition"}
        </Button>
      </div>
    </Stack>
  );
}
