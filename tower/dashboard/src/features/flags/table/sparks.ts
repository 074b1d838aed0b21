import type { Schemas } from "@/api/client";
import type { Measured } from "./filter";

/** The small graphs show five minutes in buckets of five seconds. */
export const RESOLUTION_MS = 5_000;
export const BUCKETS = 60;
export const SPARK_RANGE = "5m";
/** The numbers beside the graphs are of this many whole buckets. */
const RECENT = 6;
/** A ring holds the buckets that still grow as well. */
const PLACES = BUCKETS + 4;
/** A message of the live connection has as many buckets; whoever missed more has a hole. */
const IN_MESSAGE = 3;

interface Series {
  /** Calls and failures by bucket, in a ring by the bucket's number; -1 where nothing was counted. */
  calls: Int32Array;
  failures: Int32Array;
  /** The number of the bucket that each place holds. */
  bucket: Float64Array;
  filled: boolean;
  /** What the newest bucket was when something of this flag last came. */
  seen: number;
}

/** What a small graph draws, the oldest first: null is a gap. */
export interface Spark {
  callsPerS: (number | null)[];
  errorRate: (number | null)[];
}

/**
 * The points of all small graphs, outside of React: they come for hundreds of flags at once, and nothing of the page
 * but the graphs and their numbers depends on them. Counts are kept, not rates, so that buckets add up.
 */
export class SparkStore {
  private readonly series = new Map<string, Series>();
  private readonly watchers = new Set<() => void>();
  /** The number of the newest bucket, which is not complete. */
  private newest = 0;
  /** Why there are no points now, in a sentence; null while there are. */
  trouble: string | null = null;

  /** Whether the history of a flag is there without a hole. */
  has(id: string): boolean {
    const series = this.series.get(id);
    return series?.filled === true && series.seen > this.newest - IN_MESSAGE;
  }

  /** Be told when there are other points. */
  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** Take in the history of flags, from `POST /timeseries`. */
  fill({ points, flags }: Schemas["SparksOut"]): void {
    if (points.resolution_ms !== RESOLUTION_MS) throw new RangeError(`expected buckets of ${RESOLUTION_MS} ms`);
    this.trouble = null;
    const first = points.from_ms / RESOLUTION_MS;
    this.advance(Math.floor(points.now_ms / RESOLUTION_MS));
    for (const [id, { calls, error_rate }] of Object.entries(flags)) {
      const series = this.seriesOf(id);
      series.filled = true;
      series.seen = this.newest;
      calls.forEach((number, place) => {
        const rate = error_rate[place];
        const failures = number === null || rate == null ? null : Math.round((number * rate) / 100);
        put(series, first + place, number, failures);
      });
    }
    this.tell();
  }

  /** Take in what came over the live connection. Points of another resolution are somebody else's. */
  take(message: Schemas["PointsMessage"]): void {
    if (message.resolution_ms !== RESOLUTION_MS) return;
    if (!message.available) {
      this.failed(message.detail ?? "The counts cannot be read now.");
      return;
    }
    this.trouble = null;
    if (message.now_ms != null) this.advance(Math.floor(message.now_ms / RESOLUTION_MS));
    for (const [id, points] of Object.entries(message.flags)) {
      const series = this.seriesOf(id);
      if (series.seen <= this.newest - IN_MESSAGE) series.filled = false;
      series.seen = this.newest;
      message.at_ms.forEach((atMs, place) => {
        put(series, atMs / RESOLUTION_MS, points.calls?.[place] ?? null, points.failures?.[place] ?? null);
      });
    }
    this.tell();
  }

  /** Points cannot be read now, for the reason in `why`. */
  failed(why: string): void {
    this.trouble = why;
    this.tell();
  }

  /** The graph of a flag, whole buckets only: one that still grows would look like a fall. */
  spark(id: string): Spark | null {
    const series = this.series.get(id);
    if (series === undefined) return null;
    const spark: Spark = { callsPerS: [], errorRate: [] };
    for (let bucket = this.newest - BUCKETS; bucket < this.newest; bucket++) {
      const place = bucket % PLACES;
      const calls = series.bucket[place] === bucket ? (series.calls[place] ?? -1) : -1;
      const failures = series.failures[place] ?? -1;
      spark.callsPerS.push(calls < 0 ? null : (calls * 1000) / RESOLUTION_MS);
      spark.errorRate.push(calls <= 0 || failures < 0 ? null : (100 * failures) / calls);
    }
    return spark;
  }

  /** The numbers beside the graph: of the last half minute. */
  measured = (id: string): Measured | undefined => {
    const series = this.series.get(id);
    if (series === undefined) return undefined;
    let calls = 0;
    let failures = 0;
    let counted = false;
    for (let bucket = this.newest - RECENT; bucket < this.newest; bucket++) {
      const place = bucket % PLACES;
      if (series.bucket[place] !== bucket || (series.calls[place] ?? -1) < 0) continue;
      counted = true;
      calls += series.calls[place] ?? 0;
      failures += Math.max(series.failures[place] ?? 0, 0);
    }
    if (!counted) return { callsPerS: null, errorRate: null };
    return {
      callsPerS: (calls * 1000) / (RECENT * RESOLUTION_MS),
      errorRate: calls === 0 ? null : (100 * failures) / calls,
    };
  };

  private advance(bucket: number): void {
    this.newest = Math.max(this.newest, bucket);
  }

  private seriesOf(id: string): Series {
    let series = this.series.get(id);
    if (series === undefined) {
      series = {
        calls: new Int32Array(PLACES).fill(-1),
        failures: new Int32Array(PLACES).fill(-1),
        bucket: new Float64Array(PLACES).fill(-1),
        filled: false,
        seen: -1,
      };
      this.series.set(id, series);
    }
    return series;
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}

/** A late answer does not replace a newer bucket in the same place of the ring. */
function put(series: Series, bucket: number, calls: number | null, failures: number | null): void {
  const place = bucket % PLACES;
  if ((series.bucket[place] ?? -1) > bucket) return;
  series.bucket[place] = bucket;
  series.calls[place] = calls ?? -1;
  series.failures[place] = failures ?? -1;
}
