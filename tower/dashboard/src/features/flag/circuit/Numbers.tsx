import { exactSpan, NOT_KNOWN, rate, roughSpan, share } from "@/components/numbers";
import styles from "./circuit.module.css";
import { type Graph, lately, rateOf, type Series } from "./graph/series";

const MINUTE_MS = 60_000;
const RATE_OVER_MS = 10_000;

/**
 * What is so now, in three numbers; each says of what time it is, or why it is not known. How many calls there were stands in
 * the flag's sentence alone: two counts of nearly the same time are never the same.
 */
export function Numbers({
  seconds,
  windows,
  windowMs,
  problem,
}: {
  /** The counts of the last minute or more, in seconds; null until they are read. */
  seconds: Series | null;
  windows: Graph | null;
  windowMs: number | null;
  /** Why there are no counts. */
  problem: string | null;
}) {
  const overMs = Math.min(windowMs ?? RATE_OVER_MS, MINUTE_MS);
  const known = problem === null && seconds !== null;
  const judged = known ? lately(seconds, Math.max(overMs, 1000)) : null;
  const paced = known ? lately(seconds, RATE_OVER_MS) : null;
  const why = problem !== null ? "not known: see below" : judged === null ? "waiting for counts" : null;
  const latency = known ? lastLatency(windows) : null;
  const { failures, calls, overMs: lastMs } = judged ?? { failures: 0, calls: 0, overMs };
  return (
    <dl className={styles.numbers}>
      <div>
        <dt>Calls</dt>
        <dd>
          {paced === null ? NOT_KNOWN : rate((paced.calls * 1000) / paced.overMs)}
          <small>{why ?? `to the feature, over ${exactSpan(RATE_OVER_MS)}`}</small>
        </dd>
      </div>
      <div>
        <dt>Error rate</dt>
        <dd>
          {judged === null ? NOT_KNOWN : share(rateOf(failures, calls))}
          <small>{why ?? (calls === 0 ? `no calls in ${exactSpan(lastMs)}` : `over ${exactSpan(lastMs)}`)}</small>
        </dd>
      </div>
      <div>
        <dt>Latency p99</dt>
        <dd>
          {latency === null ? NOT_KNOWN : milliseconds(latency)}
          <small>{why ?? (latency === null ? "no latencies counted" : "99 of 100 calls are faster")}</small>
        </dd>
      </div>
    </dl>
  );
}

/** The last window that has ended. */
function lastEnded(windows: Graph): number {
  const { from_ms: fromMs, resolution_ms: resolutionMs, now_ms: nowMs } = windows.points;
  return Math.floor((nowMs - fromMs) / resolutionMs) - 1;
}

function lastLatency(windows: Graph | null): number | null {
  if (windows === null) return null;
  return windows.latency.p99?.ms[lastEnded(windows)] ?? null;
}

function milliseconds(ms: number): string {
  if (ms >= 10_000) return roughSpan(ms);
  return exactSpan(ms >= 1000 ? Math.round(ms / 10) * 10 : Math.round(ms));
}
