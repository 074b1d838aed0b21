import { Text } from "@mantine/core";
import { Moment } from "@/components/Moment";
import { exactSpan, percent, roughSpan } from "@/components/numbers";
import { useNow } from "@/components/times";
import type { Flag } from "@/features/flags/api";
import styles from "./circuit.module.css";
import { recoveryInWords } from "./inWords";
import { delayMs, placeOf, type Recovery, rampOf } from "./ramp";

/** So many columns can be read. */
const COLUMNS = 24;

type State = NonNullable<Flag["state"]["circuit"]>;

/** How users come back: one column for each step, the present one marked, with the time until the next. */
export function RampPicture({
  recovery,
  circuit,
  rollout,
}: {
  recovery: Recovery;
  circuit: State | null;
  rollout: number;
}) {
  const nowMs = useNow();
  const { steps, more } = rampOf(recovery);
  const moving = circuit !== null && circuit.state !== "closed" && !circuit.forced_open;
  const at = !moving ? null : circuit.state === "open" ? -1 : placeOf(steps, circuit.percentage);
  const sinceMs = circuit?.since ? Date.parse(circuit.since) : null;
  const nextMs = circuit?.next ? Date.parse(circuit.next) : null;
  const passed =
    sinceMs === null || nextMs === null ? 0 : Math.min(Math.max((nowMs - sinceMs) / (nextMs - sinceMs), 0), 1);
  const waitMs =
    at === -1 && sinceMs !== null && nextMs !== null
      ? nextMs - sinceMs
      : delayMs(recovery, (circuit?.trips ?? 0) + (moving ? 0 : 1));
  const places = placesOf(steps.length, at);
  const step = (place: number) => {
    const share = steps[place] ?? 0;
    return (
      <li
        key={place}
        className={`${styles.step} ${at !== null && place < at ? styles.passed : ""} ${place === at ? styles.present : ""}`}
        aria-current={place === at ? "step" : undefined}
        title={`Step ${place + 1} of ${steps.length}: ${percent(share)} of the rollout, which is ${percent((share * rollout) / 100)} of users`}
      >
        <span className={styles.share}>{percent(share)}</span>
        <span className={styles.height} style={{ height: `${share * 0.62}%` }}>
          {place === at && <span className={styles.gone} style={{ width: `${passed * 100}%` }} />}
        </span>
        <span className={styles.lasts}>{exactSpan(recovery.interval_ms)}</span>
      </li>
    );
  };
  return (
    <div>
      <Text mb="xs">
        {moving ? (
          <Countdown
            at={at}
            steps={steps}
            more={more}
            nextMs={nextMs}
            nowMs={nowMs}
            intervalMs={recovery.interval_ms}
          />
        ) : (
          recoveryInWords(recovery, circuit?.trips ?? 0)
        )}
      </Text>
      <ol className={styles.stairs} aria-label="The steps of the recovery">
        <li
          className={`${styles.step} ${styles.wait} ${at === -1 ? styles.present : ""}`}
          aria-current={at === -1 ? "step" : undefined}
        >
          <span className={styles.share}>Nobody</span>
          <span className={styles.height}>
            {at === -1 && <span className={styles.gone} style={{ width: `${passed * 100}%` }} />}
          </span>
          <span className={styles.lasts}>{exactSpan(waitMs)}</span>
        </li>
        {places.map(step)}
        <li className={`${styles.step} ${styles.all}`}>
          <span className={styles.share}>100%</span>
          <span className={styles.height} style={{ height: "62%" }} />
          <span className={styles.lasts}>closed</span>
        </li>
      </ol>
      {(places.length < steps.length || more) && (
        <Text size="xs" c="var(--quiet)" mt={4}>
          {more ? `More than ${steps.length} steps` : `${steps.length} steps`}, of which {places.length} are drawn.
        </Text>
      )}
    </div>
  );
}

function Countdown({
  at,
  steps,
  more,
  nextMs,
  nowMs,
  intervalMs,
}: {
  at: number | null;
  steps: readonly number[];
  more: boolean;
  nextMs: number | null;
  nowMs: number;
  intervalMs: number;
}) {
  const following = steps[(at ?? -1) + 1];
  const what =
    following === undefined ? "everyone gets it, and the circuit closes" : `${percent(following)} of the rollout`;
  const place = at === null || at < 0 ? "Open" : `Step ${at + 1} of ${steps.length}`;
  if (nextMs === null) return `${place}.`;
  if (nextMs <= nowMs) return `${place}. The next is due: ${what}.`;
  return (
    <>
      {place}. In <b>{roughSpan(nextMs - nowMs, true)}</b>: {what}.
      {following !== undefined && !more && (
        <>
          {" "}
          Everyone gets it from <Moment at={nextMs + (steps.length - 1 - (at ?? -1)) * intervalMs} /> at the earliest.
        </>
      )}
    </>
  );
}

/** Which of many steps are drawn: evenly apart, with the last and the present one. */
export function placesOf(steps: number, at: number | null): number[] {
  if (steps <= COLUMNS) return Array.from({ length: steps }, (_, place) => place);
  const places = new Set(
    Array.from({ length: COLUMNS - 1 }, (_, column) => Math.round((column * (steps - 1)) / (COLUMNS - 2))),
  );
  if (at !== null && at >= 0) places.add(at);
  return [...places].sort((one, other) => one - other);
}
