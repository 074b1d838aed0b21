import type { Schemas } from "@/api/client";

export type Graph = Schemas["GraphOut"];
type Values = (number | null)[];

/** One kind of calls in each bucket; null where nothing was counted. */
export interface Calls {
  calls: Values;
  failures: Values;
  errorRate: Values;
  slowRate: Values;
}

/** A graph as it is drawn: all lists have one entry for each bucket. */
export interface Series {
  /** When each bucket begins, in Unix milliseconds. */
  atMs: number[];
  resolutionMs: number;
  nowMs: number;
  /** Up to when all lists were read; later buckets have what the live connection tells, the feature's calls. */
  readMs: number;
  /** When the circuit opened, while it is open: then the feature gets no more calls. */
  openedMs: number | null;
  feature: Calls;
  fallback: Calls;
  /** The least error rate that opens the circuit at so many calls. */
  opensAt: Values;
  latency: { p50: Values; p90: Values; p99: Values };
}

export interface LiveBucket {
  calls: number | null;
  failures: number | null;
  /** When it was told, by the clock of the counts. What is told later counts. */
  toldMs: number;
}

/** The buckets of one flag that the live connection has sent, by when they begin. */
export class LiveBuckets {
  readonly buckets = new Map<number, LiveBucket>();
  resolutionMs = 0;
  nowMs = 0;

  constructor(private readonly keepMs = 330_000) {}

  /** Take in a message; gives whether it was about the flag. A bucket that is sent again replaces the earlier one. */
  take(message: Schemas["PointsMessage"], flag: string): boolean {
    const told = message.flags[flag];
    const nowMs = message.now_ms ?? null;
    if (!message.available || told === undefined || nowMs === null) return false;
    if (message.resolution_ms !== this.resolutionMs) this.buckets.clear();
    this.resolutionMs = message.resolution_ms;
    this.nowMs = nowMs;
    message.at_ms.forEach((atMs, place) => {
      const [calls, failures] = [told.calls?.[place] ?? null, told.failures?.[place] ?? null];
      this.buckets.set(atMs, { calls, failures, toldMs: nowMs });
    });
    for (const atMs of this.buckets.keys()) {
      if (atMs >= nowMs - this.keepMs) break;
      this.buckets.delete(atMs);
    }
    return true;
  }
}

/** What Tower gave, as it is drawn. */
export function seriesOf(graph: Graph, openedMs: number | null = null): Series {
  const { from_ms: fromMs, resolution_ms: resolutionMs, points, now_ms: nowMs } = graph.points;
  return {
    atMs: Array.from({ length: points }, (_, place) => fromMs + place * resolutionMs),
    resolutionMs,
    nowMs,
    readMs: nowMs,
    openedMs,
    feature: callsOf(graph.feature),
    fallback: callsOf(graph.fallback),
    opensAt: graph.thresholds.opens_at_error_rate,
    latency: {
      p50: graph.latency.p50?.ms ?? [],
      p90: graph.latency.p90?.ms ?? [],
      p99: graph.latency.p99?.ms ?? [],
    },
  };
}

function callsOf(calls: Schemas["CallsOut"]): Calls {
  return { calls: calls.calls, failures: calls.failures, errorRate: calls.error_rate, slowRate: calls.slow_rate };
}

/**
 * Add what the live connection has told since: newer buckets, and newer counts of those that had not ended. It tells the
 * feature's calls and failures only; the rest of these buckets is not known until the graph is read again.
 */
export function withLive(series: Series, live: LiveBuckets): Series {
  if (live.resolutionMs !== series.resolutionMs || live.nowMs <= series.nowMs) return series;
  const { resolutionMs } = series;
  const first = series.atMs[0];
  const last = series.atMs.at(-1);
  if (first === undefined || last === undefined) return series;
  const end = Math.max(last, Math.floor(live.nowMs / resolutionMs) * resolutionMs);
  const length = (end - first) / resolutionMs + 1;
  const atMs = Array.from({ length }, (_, place) => first + place * resolutionMs);
  const longer = (values: Values): Values => Array.from({ length }, (_, place) => values[place] ?? null);
  const calls = longer(series.feature.calls);
  const failures = longer(series.feature.failures);
  const errorRate = longer(series.feature.errorRate);
  for (const [at, bucket] of live.buckets) {
    const place = (at - first) / resolutionMs;
    if (place < 0 || place >= length || bucket.toldMs <= series.nowMs) continue;
    calls[place] = bucket.calls;
    failures[place] = bucket.failures;
    errorRate[place] = rateOf(bucket.failures, bucket.calls);
  }
  const { latency } = series;
  return {
    atMs,
    resolutionMs,
    nowMs: live.nowMs,
    readMs: series.readMs,
    openedMs: series.openedMs,
    feature: { calls, failures, errorRate, slowRate: longer(series.feature.slowRate) },
    fallback: {
      calls: longer(series.fallback.calls),
      failures: longer(series.fallback.failures),
      errorRate: longer(series.fallback.errorRate),
      slowRate: longer(series.fallback.slowRate),
    },
    opensAt: longer(series.opensAt),
    latency: { p50: longer(latency.p50), p90: longer(latency.p90), p99: longer(latency.p99) },
  };
}

/**
 * Put the opening rates of longer buckets, such as the window that is judged, onto the buckets of a graph in seconds. The
 * bucket that has not ended has the value of the one before: with the calls of its first second it would be another. A
 * second without calls of the feature has none: nothing could have opened the circuit then.
 */
export function opensAtOver(series: Series, windows: Graph): Series {
  const { from_ms: fromMs, resolution_ms: resolutionMs, now_ms: nowMs } = windows.points;
  const rates = windows.thresholds.opens_at_error_rate;
  const lastEnded = Math.floor((nowMs - fromMs) / resolutionMs) - 1;
  const opensAt = series.atMs.map((atMs, place) =>
    (series.feature.calls[place] ?? 0) === 0
      ? null
      : (rates[Math.min(Math.floor((atMs - fromMs) / resolutionMs), lastEnded)] ?? null),
  );
  return { ...series, opensAt };
}

export function rateOf(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole === 0 ? null : (part * 100) / whole;
}

/**
 * How many buckets have ended: the rate of one that has just begun would jump with every call. The one in which the circuit
 * opened has ended for the feature.
 */
export function ended(series: Series): number {
  const { atMs, resolutionMs, nowMs, openedMs } = series;
  // Buckets of ten seconds and more are shown while they fill: else a graph of a day would lack its last minute.
  if (resolutionMs >= 10_000) return atMs.length;
  const isOpen = (fromMs: number) => fromMs + resolutionMs > nowMs && (openedMs === null || openedMs < fromMs);
  let length = atMs.length;
  while (length > 0 && isOpen(atMs[length - 1] ?? 0)) length -= 1;
  return length;
}

/** The place of the last bucket that has ended and of which all is known. */
export function lastRead(series: Series): number {
  let place = ended(series) - 1;
  if (series.resolutionMs >= 10_000) return place;
  while (place > 0 && (series.atMs[place] ?? 0) + series.resolutionMs > series.readMs) place -= 1;
  return place;
}

/** Calls a second in each bucket; one that is still filling is divided by the part of it that has passed. */
export function perSecond(values: Values, series: Series): Values {
  const { atMs, resolutionMs, nowMs } = series;
  return values.map((value, place) => {
    const passed = nowMs - (atMs[place] ?? 0);
    const width = resolutionMs >= 10_000 && passed < resolutionMs ? Math.max(passed, resolutionMs / 4) : resolutionMs;
    return value === null ? null : (value * 1000) / width;
  });
}

/** Sum of two lists; a bucket in which only one was counted has that one. */
export function added(one: Values, other: Values): Values {
  return one.map((value, place) => {
    const second = other[place] ?? null;
    return value === null ? second : second === null ? value : value + second;
  });
}

export interface Lately {
  calls: number;
  failures: number;
  overMs: number;
}

/**
 * Sum up the calls of the last `overMs`, in buckets that have ended; null where the series does not reach back. Those of the
 * fallback are known up to when all lists were read.
 */
export function lately(series: Series, overMs: number, of: "feature" | "fallback" = "feature"): Lately | null {
  const { atMs, resolutionMs, nowMs, readMs } = series;
  const untilMs = of === "feature" ? nowMs : readMs;
  const toMs = Math.floor(untilMs / resolutionMs) * resolutionMs;
  const fromMs = toMs - overMs;
  if (atMs[0] === undefined || atMs[0] > fromMs) return null;
  const within = atMs.flatMap((at, place) => (at >= fromMs && at < toMs ? [place] : []));
  const sum = (values: Values) => within.reduce((total, place) => total + (values[place] ?? 0), 0);
  return { calls: sum(series[of].calls), failures: sum(series[of].failures), overMs };
}
