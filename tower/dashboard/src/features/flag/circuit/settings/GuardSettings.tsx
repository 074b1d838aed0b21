import { Switch, Title } from "@mantine/core";
import type { Settings } from "../CircuitSettings";
import { USUAL_GUARD } from "./limits";
import { DurationSetting, NumberSetting } from "./Setting";
import styles from "./settings.module.css";

/** What each sidecar does by itself before the verdict for all is there. */
export function GuardSettings({ settings: { circuit, set, readOnly, problem } }: { settings: Settings }) {
  const guard = circuit.local_guard ?? null;
  const change = (fields: Partial<typeof USUAL_GUARD>) => set({ local_guard: { ...USUAL_GUARD, ...guard, ...fields } });
  return (
    <fieldset className={styles.group}>
      <Title order={3} mb="xs">
        Before the verdict
      </Title>
      <Switch
        label="Local guard"
        description="Lets each sidecar send calls to the fallback by itself while it cannot connect to the feature. Off by default."
        checked={guard !== null}
        disabled={readOnly}
        onChange={(event) => set({ local_guard: event.currentTarget.checked ? USUAL_GUARD : null })}
      />
      {guard !== null && (
        <div className={styles.grid} style={{ marginTop: 12 }}>
          <NumberSetting
            name="local_guard.consecutive_failures"
            label="Failed connections in a row"
            explained="After so many calls in a row without a connection. An answer with 500 is a connection."
            value={guard.consecutive_failures ?? USUAL_GUARD.consecutive_failures}
            usual={USUAL_GUARD.consecutive_failures}
            onChange={(consecutive_failures) => change({ consecutive_failures })}
            readOnly={readOnly}
            problem={problem("local_guard.consecutive_failures")}
          />
          <DurationSetting
            name="local_guard.max_ms"
            label="Keeps calls away for at most"
            explained="Calls that are kept away are not counted. A second or two, or the verdict comes later."
            value={guard.max_ms ?? USUAL_GUARD.max_ms}
            usual={USUAL_GUARD.max_ms}
            onChange={(max_ms) => change({ max_ms })}
            readOnly={readOnly}
            problem={problem("local_guard.max_ms")}
          />
        </div>
      )}
    </fieldset>
  );
}
