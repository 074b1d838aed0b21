import { useSyncExternalStore } from "react";
import { count, NOT_KNOWN, percent, rate, roughSpan, share } from "@/components/numbers";
import { localMoment, useTicked, utcMoment } from "@/components/times";
import { type Flag, idOf } from "../api";
import { effectiveRollout } from "./filter";
import type { SparkStore } from "./sparks";
import styles from "./table.module.css";

/** The rollout as a bar: full what users get now, hatched what they would get without the circuit. */
export function RolloutBar({ flag }: { flag: Flag }) {
  const now = effectiveRollout(flag);
  const hint =
    now === flag.rollout
      ? `The rollout is ${percent(flag.rollout)} of users.`
      : `The rollout is ${percent(flag.rollout)} of users; now ${now === 0 ? "nobody gets it" : `${percent(now)} get it`}.`;
  return (
    <span className={styles.rollout} data-hint={hint}>
      <span className={styles.bar} aria-hidden>
        <span className={styles.wanted} style={{ width: `${flag.rollout}%` }} />
        <span className={styles.effective} style={{ width: `${now}%` }} />
      </span>
      <span className={styles.number}>{percent(flag.rollout)}</span>
    </span>
  );
}

/** A number of the last half minute, beside its graph. Renders again when its text changes, not with each point. */
export function LiveNumber({ store, id, of }: { store: SparkStore; id: string; of: "calls" | "errors" }) {
  const text = useSyncExternalStore(store.watch, () => {
    const measured = store.measured(id);
    return of === "calls" ? rate(measured?.callsPerS) : share(measured?.errorRate);
  });
  return <span className={text === NOT_KNOWN ? `${styles.number} ${styles.quiet}` : styles.number}>{text}</span>;
}

/** In how many sidecars the last change has arrived. */
export function Arrived({ flag }: { flag: Flag }) {
  const { arrived, of } = flag.state.arrived;
  if (flag.archived_at !== null) return <span className={styles.quiet}>{NOT_KNOWN}</span>;
  if (of === 0) {
    return (
      <span className={styles.quiet} data-hint={`No sidecar of ${flag.app} is running.`}>
        {NOT_KNOWN}
      </span>
    );
  }
  const hint =
    arrived === of
      ? "The last change has arrived in all sidecars."
      : `The last change is not yet in ${count(of - arrived)} of ${count(of)} sidecars.`;
  return (
    <span className={arrived === of ? styles.quiet : styles.missing} data-hint={hint}>
      {count(arrived)}/{count(of)}
    </span>
  );
}

/** When the flag was last changed. */
export function Changed({ at }: { at: string }) {
  const atMs = Date.parse(at);
  const ago = useTicked((nowMs) => `${roughSpan(nowMs - atMs)} ago`);
  return (
    <time dateTime={at} className={styles.quiet} data-hint={`${localMoment(atMs, Date.now())} (${utcMoment(atMs)})`}>
      {ago}
    </time>
  );
}

/** Both numbers in words, for the cards of narrow screens. */
export function LiveWords({ store, flag }: { store: SparkStore; flag: Flag }) {
  const text = useSyncExternalStore(store.watch, () => {
    const measured = store.measured(idOf(flag));
    if (measured === undefined || measured.callsPerS === null) return "No calls in the last 30 s";
    return `${rate(measured.callsPerS)} · ${share(measured.errorRate)} failed`;
  });
  return <span className={styles.quiet}>{text}</span>;
}
