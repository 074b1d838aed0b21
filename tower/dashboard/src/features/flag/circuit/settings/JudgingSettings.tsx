import { exactSpan } from "@/components/numbers";
import type { Settings } from "../CircuitSettings";
import { USUAL } from "./limits";
import { DurationSetting, NumberSetting } from "./Setting";
import styles from "./settings.module.css";

/** How certain a verdict has to be, and over which windows: values that simulations speak for. */
export function JudgingSettings({ settings: { circuit, set, readOnly, problem } }: { settings: Settings }) {
  return (
    <div className={styles.grid} style={{ marginTop: 8 }}>
      <NumberSetting
        name="min_calls"
        label="Fewest calls judged"
        explained="A window with fewer calls says nothing. More is for errors that come in short bursts."
        value={circuit.min_calls}
        usual={USUAL.min_calls}
        onChange={(min_calls) => set({ min_calls })}
        readOnly={readOnly}
        problem={problem("min_calls")}
      />
      <NumberSetting
        name="confidence"
        label="Confidence"
        explained="How sure a verdict has to be. With less, it opens wrongly more often; with more, it takes more calls."
        step={0.0001}
        value={circuit.confidence}
        usual={USUAL.confidence}
        onChange={(confidence) => set({ confidence })}
        readOnly={readOnly}
        problem={problem("confidence")}
      />
      <DurationSetting
        name="window_ms"
        label="Window"
        explained="The longest of the short windows that calls are judged over; the others are its halves."
        value={circuit.window_ms}
        usual={USUAL.window_ms}
        onChange={(window_ms) => set({ window_ms })}
        readOnly={readOnly}
        problem={problem("window_ms")}
      />
      <DurationSetting
        name="long_window_ms"
        label="Long window"
        explained="The longest window of all, for features with few calls. More than an hour looks back an hour."
        value={circuit.long_window_ms}
        usual={USUAL.long_window_ms}
        onChange={(long_window_ms) => set({ long_window_ms })}
        readOnly={readOnly}
        problem={problem("long_window_ms")}
        wrong={
          circuit.long_window_ms < circuit.window_ms
            ? `The long window is at least as long as the window, ${exactSpan(circuit.window_ms)}.`
            : undefined
        }
      />
    </div>
  );
}
