import { exactSpan, NOT_KNOWN, rate, roughSpan, share } from "@/components/numbers";
import type { Flag } from "@/features/flags/api";
import styles from "./circuit.module.css";
import { type Graph, lately, rateOf, type Series } from "./graph/series";
import { spanSince } from "./graph/span";

const RATE_OVER_MS = 10_000;

/**
 * What is so now, in four numbers; each says of what time it is, or why it is not known. How many calls there were stands in
 * the flag's sentence alone: two counts of nearly the same time are never the same. While the circuit is open the feature
 * gets no calls, and once users come back what came before the opening says nothing any more.
 */
export function Numbers({
  flag,
  seconds,
  windows,
  problem,
}: {
  flag: Flag;
  /** The counts of the last minute or more, in seconds; null until they are read. */
  seconds: Series | null;
  windows: Graph | null;
  /** Why there are no counts. */
  problem: string | null;
}) {
  const { circuit, settled } = flag.state;
  const isOpen = settled === "open";
  const openedAt = circuit?.last_opening?.at ?? null;
  const openedMs = openedAt === null ? null : Date.parse(openedAt);
  const known = problem === null && seconds !== null;
  const overMs = (longestMs: number) =>
    spanSince(settled === "recovering" ? openedMs : null, seconds?.nowMs ?? 0, longestMs);
  const judged = known ? lately(seconds, overMs(Math.min(flag.circuit?.window_ms ?? RATE_OVER_MS, 60_000))) : null;
  const paced = known ? lately(seconds, overMs(RATE_OVER_MS)) : null;
  const fallback = known ? lately(seconds, RATE_OVER_MS, "fallback") : null;
  const why = problem !== null ? "not known: see below" : judged === null ? "waiting for counts" : null;
  const latency = known ? lastLatency(windows) : null;
  const observed = isOpen ? (circuit?.reason ?? circuit?.last_opening?.reason ?? null) : null;
  return (
    <dl className={styles.numbers}>
      <Tile
        name="Calls"
        below={isOpen ? "none to the feature while it is open" : (why ?? `to the feature, ${over(paced)}`)}
      >
        {isOpen ? rate(0) : pace(paced)}
      </Tile>
      {observed?.rule === "error_rate" ? (
        <Tile name="Error rate" below="when it opened">
          {share(observed.observed)}
        </Tile>
      ) : (
        <Tile
          name="Error rate"
          below={why ?? (judged?.calls === 0 ? `no calls in ${exactSpan(judged.overMs)}` : over(judged))}
        >
          {judged === null ? NOT_KNOWN : share(rateOf(judged.failures, judged.calls))}
        </Tile>
      )}
      <Tile
        name="Latency p99"
        below={why ?? (latency === null ? "no latencies counted" : "99 of 100 calls are faster")}
      >
        {latency === null ? NOT_KNOWN : milliseconds(latency)}
      </Tile>
      <Tile name="Fallback" below={why ?? failedOf(fallback)}>
        {pace(fallback)}
      </Tile>
    </dl>
  );
}

function Tile({ name, below, children }: { name: string; below: string; children: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {children}
        <small>{below}</small>
      </dd>
    </div>
  );
}

type Summed = ReturnType<typeof lately>;

function pace(counts: Summed): string {
  return counts === null ? NOT_KNOWN : rate((counts.calls * 1000) / counts.overMs);
}

function over(counts: Summed): string {
  return counts === null ? "" : `over ${exactSpan(counts.overMs)}`;
}

function failedOf(counts: Summed): string {
  if (counts === null) return "waiting for counts";
  if (counts.calls === 0) return `no calls in ${exactSpan(counts.overMs)}`;
  return `${share(rateOf(counts.failures, counts.calls))} failed, ${over(counts)}`;
}

function lastLatency(windows: Graph | null): number | null {
  if (windows === null) return null;
  const { from_ms: fromMs, resolution_ms: resolutionMs, now_ms: nowMs } = windows.points;
  const lastEnded = Math.floor((nowMs - fromMs) / resolutionMs) - 1;
  return windows.latency.p99?.ms[lastEnded] ?? null;
}

function milliseconds(ms: number): string {
  if (ms >= 10_000) return roughSpan(ms);
  return exactSpan(ms >= 1000 ? Math.round(ms / 10) * 10 : Math.round(ms));
}
