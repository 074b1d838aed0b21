import { SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { exactSpan } from "@/components/numbers";
import type { Settings } from "../CircuitSettings";
import { recoveryInWords } from "../inWords";
import { type Recovery, rampOf } from "../ramp";
import { USUAL_RECOVERY } from "./limits";
import { DurationSetting, NumberSetting, Setting } from "./Setting";
import styles from "./settings.module.css";

const PROFILES = [
  { value: "linear", label: "Linear" },
  { value: "exponential", label: "Exponential" },
];

/** How users come back, or that they do not by themselves. */
export function RecoverySettings({ settings }: { settings: Settings }) {
  const { circuit, set, readOnly } = settings;
  const { recovery } = circuit;
  return (
    <fieldset className={styles.group}>
      <Title order={3} mb="xs">
        How users come back
      </Title>
      <Stack gap="xs" align="flex-start">
        <SegmentedControl
          aria-label="How users come back"
          disabled={readOnly}
          data={[
            { value: "steps", label: "In steps" },
            { value: "person", label: "By a person" },
          ]}
          value={recovery === null ? "person" : "steps"}
          onChange={(value) => set({ recovery: value === "person" ? null : USUAL_RECOVERY })}
        />
        <Text>
          {recovery === null
            ? "Once open, it stays open until a person resets it. Take this where somebody has to look first."
            : recoveryInWords(recovery, 0)}
        </Text>
      </Stack>
      {recovery !== null && <Steps settings={settings} recovery={recovery} />}
    </fieldset>
  );
}

function Steps({ settings: { set, readOnly, problem }, recovery }: { settings: Settings; recovery: Recovery }) {
  const change = (fields: Partial<Recovery>) => set({ recovery: { ...recovery, ...fields } });
  const isLinear = recovery.profile === "linear";
  const { steps, more } = rampOf(recovery);
  const shared = (name: keyof Recovery) => ({ readOnly, problem: problem(`recovery.${name}`) });
  return (
    <div className={styles.grid} style={{ marginTop: 12 }}>
      <DurationSetting
        {...shared("delay_ms")}
        name="recovery.delay_ms"
        label="First delay"
        explained="How long it stays open the first time. Each further trip in a row doubles it."
        value={recovery.delay_ms}
        usual={USUAL_RECOVERY.delay_ms}
        onChange={(delay_ms) => change({ delay_ms })}
      />
      <DurationSetting
        {...shared("max_delay_ms")}
        name="recovery.max_delay_ms"
        label="Longest delay"
        explained="Where the doubling ends."
        value={recovery.max_delay_ms}
        usual={USUAL_RECOVERY.max_delay_ms}
        onChange={(max_delay_ms) => change({ max_delay_ms })}
        wrong={
          recovery.max_delay_ms < recovery.delay_ms
            ? `The longest delay is at least the first one, ${exactSpan(recovery.delay_ms)}.`
            : undefined
        }
      />
      <DurationSetting
        {...shared("interval_ms")}
        name="recovery.interval_ms"
        label="Length of a step"
        explained="A step is judged on its own calls, so let it see some. One without any lasts three times as long."
        value={recovery.interval_ms}
        usual={USUAL_RECOVERY.interval_ms}
        onChange={(interval_ms) => change({ interval_ms })}
      />
      <NumberSetting
        {...shared("initial")}
        name="recovery.initial"
        label="First step"
        explained="Share of the rollout that is let in first. The users of one step are among those of the next."
        unit="%"
        value={recovery.initial}
        usual={USUAL_RECOVERY.initial}
        onChange={(initial) => change({ initial })}
      />
      <Setting
        label="Profile"
        explained={isLinear ? "Each step adds the same." : "Each step adds a share of the one before."}
        usual="linear"
        isUsual={isLinear}
        onUsual={() => change({ profile: "linear" })}
        readOnly={readOnly}
      >
        <div>
          <Text size="sm" fw={500} id="recovery-profile">
            Profile
          </Text>
          <SegmentedControl
            aria-labelledby="recovery-profile"
            disabled={readOnly}
            data={PROFILES}
            value={recovery.profile}
            onChange={(value) => change({ profile: value === "linear" ? "linear" : "exponential" })}
          />
        </div>
      </Setting>
      <NumberSetting
        {...shared("increment")}
        name="recovery.increment"
        label="Increment"
        explained={`${isLinear ? "Percentage points that each step adds" : "Percent of its share that each step adds: 100 doubles"}. ${more ? `More than ${steps.length}` : steps.length} steps.`}
        unit="%"
        value={recovery.increment}
        usual={USUAL_RECOVERY.increment}
        onChange={(increment) => change({ increment })}
      />
    </div>
  );
}
