import { Button, Group, Switch, TagsInput, Text, Title } from "@mantine/core";
import { useState } from "react";
import type { Settings } from "../CircuitSettings";
import { FIRST_SLOW, USUAL } from "./limits";
import { DurationSetting, NumberSetting, Setting } from "./Setting";
import styles from "./settings.module.css";
import { onTheWire, statusProblem } from "./statuses";

const THRESHOLDS = [
  { value: 5, catches: "failures now and then" },
  { value: 10, catches: "frequent failures" },
  { value: 50, catches: "an outage" },
];

/** When the circuit opens: how many calls may fail, what a failed call is, and whether slow calls count. */
export function OpeningSettings({ settings: { circuit, set, readOnly, problem } }: { settings: Settings }) {
  return (
    <fieldset className={styles.group}>
      <Title order={3} mb="xs">
        When it opens
      </Title>
      <div className={styles.grid}>
        <div>
          <NumberSetting
            name="error_threshold"
            label="Error threshold"
            explained="It opens when more than this share of calls fail, with certainty. Take twice to four times what is normal."
            unit="%"
            value={circuit.error_threshold}
            usual={USUAL.error_threshold}
            onChange={(error_threshold) => set({ error_threshold })}
            readOnly={readOnly}
            problem={problem("error_threshold")}
          />
          {!readOnly && (
            <Group gap={4} mt={4} aria-label="Usual thresholds" role="group">
              {THRESHOLDS.map(({ value, catches }) => (
                <Button
                  key={value}
                  size="compact-xs"
                  variant="default"
                  aria-pressed={circuit.error_threshold === value}
                  onClick={() => set({ error_threshold: value })}
                >
                  {value}% catches {catches}
                </Button>
              ))}
            </Group>
          )}
        </div>
        <Statuses
          value={circuit.failure_statuses}
          onChange={(failure_statuses) => set({ failure_statuses })}
          readOnly={readOnly}
          problem={problem("failure_statuses")}
        />
      </div>
      <Switch
        mt="md"
        label="Slow calls count as well"
        description="It also opens when too many calls are slow, by the same rule."
        checked={circuit.slow_call_ms !== null}
        disabled={readOnly}
        onChange={(event) =>
          set(event.currentTarget.checked ? FIRST_SLOW : { slow_call_ms: null, slow_threshold: null })
        }
      />
      {circuit.slow_call_ms !== null && circuit.slow_threshold !== null && (
        <div className={styles.grid} style={{ marginTop: 12 }}>
          <DurationSetting
            name="slow_call_ms"
            label="A call is slow after"
            explained="What your users call too slow. Keep it below the route's timeout: calls that time out have failed."
            value={circuit.slow_call_ms}
            usual={null}
            onChange={(slow_call_ms) => set({ slow_call_ms })}
            readOnly={readOnly}
            problem={problem("slow_call_ms")}
          />
          <NumberSetting
            name="slow_threshold"
            label="Slow-call threshold"
            explained="It opens when more than this share of calls are slow. Take twice the share of a good day, or more."
            unit="%"
            value={circuit.slow_threshold}
            usual={null}
            onChange={(slow_threshold) => set({ slow_threshold })}
            readOnly={readOnly}
            problem={problem("slow_threshold")}
          />
        </div>
      )}
      {circuit.slow_call_ms === null && problem("slow_call_ms") !== null && (
        <Text size="xs" c="var(--mantine-color-error)">
          {problem("slow_call_ms")}
        </Text>
      )}
    </fieldset>
  );
}

function Statuses({
  value,
  onChange,
  readOnly,
  problem,
}: {
  value: (string | number)[];
  onChange: (value: (string | number)[]) => void;
  readOnly: boolean;
  problem: string | null;
}) {
  const [refused, setRefused] = useState<string | null>(null);
  const texts = value.map(String);
  const isUsual = texts.join() === USUAL.failure_statuses.join();
  const change = (next: string[]) => {
    const wrong = next.find((each) => !texts.includes(each) && statusProblem(each) !== null);
    setRefused(wrong === undefined ? null : statusProblem(wrong));
    if (wrong === undefined) onChange(next.map(onTheWire));
  };
  return (
    <Setting
      label="Failure statuses"
      explained="Which answers of the feature are failures. A refused or broken connection and a timeout always are."
      usual="5xx"
      isUsual={isUsual}
      onUsual={() => onChange([...USUAL.failure_statuses])}
      readOnly={readOnly}
    >
      <TagsInput
        label="Failure statuses"
        value={texts}
        onChange={change}
        onSearchChange={() => setRefused(null)}
        data={["5xx", "4xx", "429", "500-504"].filter((each) => !texts.includes(each))}
        splitChars={[",", " "]}
        acceptValueOnBlur
        disabled={readOnly}
        error={problem ?? refused ?? undefined}
        placeholder={readOnly ? "" : "429, 500-504, 5xx"}
      />
    </Setting>
  );
}
