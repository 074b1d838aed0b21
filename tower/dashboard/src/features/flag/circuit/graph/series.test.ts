import { describe, expect, it } from "vitest";
import type { Schemas } from "@/api/client";
import {
  added,
  ended,
  type Graph,
  LiveBuckets,
  lastRead,
  lately,
  opensAtOver,
  perSecond,
  seriesOf,
  withLive,
} from "./series";

function calls(counts: (number | null)[], failures: (number | null)[]): Schemas["CallsOut"] {
  const nothing = counts.map(() => null);
  const rates = counts.map((count, place) => (count === null ? null : ((failures[place] ?? 0) * 100) / count));
  return {
    counted: true,
    calls: counts,
    successes: nothing,
    failures,
    slow: nothing,
    error_rate: rates,
    slow_rate: nothing,
  };
}

function graph(counts: (number | null)[], failures: (number | null)[], nowMs: number, resolutionMs = 1000): Graph {
  const nothing = counts.map(() => null);
  const points = {
    from_ms: 0,
    to_ms: counts.length * resolutionMs,
    resolution_ms: resolutionMs,
    points: counts.length,
    now_ms: nowMs,
    source: "raw",
  };
  const percentile = { ms: nothing, from_ms: nothing, to_ms: nothing };
  return {
    app: "shop",
    flag: "pay",
    points,
    feature: calls(counts, failures),
    fallback: calls(nothing, nothing),
    latency: { p50: percentile, p90: percentile, p99: percentile },
    evaluations: { points, variants: {}, rules: {} },
    thresholds: { error_rate: 20, slow_rate: null, min_calls: 10, opens_at_error_rate: nothing },
    marks: [],
    marks_omitted: false,
  };
}

function told(nowMs: number, at: number[], counts: (number | null)[], failures: (number | null)[]) {
  return {
    available: true,
    now_ms: nowMs,
    resolution_ms: 1000,
    at_ms: at,
    flags: { "shop.pay": { calls: counts, failures } },
  } as unknown as Schemas["PointsMessage"];
}

describe("live points", () => {
  const read = () => seriesOf(graph([4, null, 5], [1, null, 0], 2_500));

  it("replace what was told earlier of a bucket, and make new ones", () => {
    const live = new LiveBuckets();
    live.take(told(3_400, [1000, 2000, 3000], [null, 9, 1], [null, 3, 0]), "shop.pay");
    live.take(told(4_400, [2000, 3000, 4000], [10, 6, 2], [5, 0, 0]), "shop.pay");
    const series = withLive(read(), live);
    expect(series.atMs).toEqual([0, 1000, 2000, 3000, 4000]);
    expect(series.feature.calls).toEqual([4, null, 10, 6, 2]);
    expect(series.feature.errorRate).toEqual([25, null, 50, 0, 0]);
    expect(series.fallback.calls).toEqual([null, null, null, null, null]);
    expect([series.nowMs, series.readMs]).toEqual([4_400, 2_500]);
  });

  it("leave gaps where nothing came", () => {
    const live = new LiveBuckets();
    live.take(told(6_100, [4000, 5000, 6000], [7, 7, 7], [0, 0, 0]), "shop.pay");
    expect(withLive(read(), live).feature.calls).toEqual([4, null, 5, null, 7, 7, 7]);
  });

  it("do not count against a graph that was read later, nor on other buckets", () => {
    const live = new LiveBuckets();
    live.take(told(2_400, [0, 1000, 2000], [1, 1, 1], [1, 1, 1]), "shop.pay");
    expect(withLive(read(), live)).toEqual(read());
    live.take(told(9_400, [7000, 8000, 9000], [1, 1, 1], [1, 1, 1]), "shop.pay");
    const long = seriesOf(graph([4], [1], 2_500, 10_000));
    expect(withLive(long, live)).toBe(long);
  });

  it("are of one flag, while there are any", () => {
    const live = new LiveBuckets();
    expect(live.take(told(1, [0], [1], [0]), "shop.other")).toBe(false);
    expect(live.take({ ...told(1, [0], [1], [0]), available: false }, "shop.pay")).toBe(false);
    expect(live.take(told(1, [0], [1], [0]), "shop.pay")).toBe(true);
  });

  it("are forgotten after a while", () => {
    const live = new LiveBuckets(5_000);
    live.take(told(1_500, [0, 1000], [1, 1], [0, 0]), "shop.pay");
    live.take(told(9_500, [8000, 9000], [1, 1], [0, 0]), "shop.pay");
    expect([...live.buckets.keys()]).toEqual([8000, 9000]);
  });

  it("tell of the last seconds together with the graph, as far as it reaches back", () => {
    const live = new LiveBuckets();
    live.take(told(4_500, [2000, 3000, 4000], [6, 3, 9], [2, 0, 9]), "shop.pay");
    const series = withLive(read(), live);
    expect(lately(series, 2_000)).toEqual({ calls: 9, failures: 2, overMs: 2_000 });
    expect(lately(series, 4_000)).toEqual({ calls: 13, failures: 3, overMs: 4_000 });
    expect(lately(series, 5_000)).toBeNull();
    expect(lately(series, 2_000, "fallback")).toEqual({ calls: 0, failures: 0, overMs: 2_000 });
    expect(lately(series, 3_000, "fallback")).toBeNull();
  });
});

describe("buckets", () => {
  it("of seconds are drawn once they have ended, longer ones while they fill", () => {
    expect(ended(seriesOf(graph([1, 1, 1], [0, 0, 0], 2_900)))).toBe(2);
    expect(ended(seriesOf(graph([1, 1, 1], [0, 0, 0], 25_000, 10_000)))).toBe(3);
  });

  it("in which the circuit opened has ended for the feature, those after it have not", () => {
    expect(ended(seriesOf(graph([1, 1, 1], [0, 0, 1], 2_400), 2_300))).toBe(3);
    expect(ended(seriesOf(graph([1, 1, null], [0, 1, null], 2_100), 1_900))).toBe(2);
  });

  it("are read as far as all of them is known", () => {
    const live = new LiveBuckets();
    live.take(told(5_100, [3000, 4000, 5000], [1, 1, 1], [0, 0, 0]), "shop.pay");
    const series = withLive(seriesOf(graph([1, 1, 1], [0, 0, 0], 3_000)), live);
    expect([ended(series), lastRead(series)]).toEqual([5, 2]);
  });

  it("that still fill have the rate of the part that has passed", () => {
    expect(perSecond([20, 10, null], seriesOf(graph([20, 10, null], [0, 0, null], 15_000, 10_000)))).toEqual([
      2,
      2,
      null,
    ]);
  });

  it("are added up, and are a gap where both are", () => {
    expect(added([1, null, 2, null], [1, 3, null, null])).toEqual([2, 3, 2, null]);
  });
});

describe("opening rates", () => {
  it("are those of the window that a second lies in; the window that has not ended has that of the one before", () => {
    const windows = graph([90, 80], [0, 0], 15_000, 10_000);
    windows.thresholds.opens_at_error_rate = [30, 60];
    const series = seriesOf(graph(Array(15).fill(6), Array(15).fill(0), 15_000));
    expect(opensAtOver(series, windows).opensAt).toEqual(Array(15).fill(30));
    windows.points.now_ms = 20_000;
    expect(opensAtOver(series, windows).opensAt).toEqual([...Array(10).fill(30), ...Array(5).fill(60)]);
  });

  it("are not there where there were no calls", () => {
    const windows = graph([90, 80], [0, 0], 20_000, 10_000);
    windows.thresholds.opens_at_error_rate = [30, 60];
    const series = seriesOf(graph([null, 0, 6], [null, 0, 0], 3_000));
    expect(opensAtOver(series, windows).opensAt).toEqual([null, null, 30]);
  });
});
