import { describe, expect, it } from "vitest";
import type { Schemas } from "@/api/client";
import { BUCKETS, RESOLUTION_MS, SparkStore } from "./sparks";

const START = 1_000_000 * RESOLUTION_MS;

function history(calls: (number | null)[], rates: (number | null)[]): Schemas["SparksOut"] {
  return {
    points: {
      from_ms: START,
      to_ms: START + calls.length * RESOLUTION_MS,
      resolution_ms: RESOLUTION_MS,
      points: calls.length,
      now_ms: START + calls.length * RESOLUTION_MS,
      source: "raw",
    },
    flags: { "shop.a": { counted: true, calls, calls_per_s: [], error_rate: rates } },
  };
}

function points(bucket: number, calls: (number | null)[], failures: (number | null)[]): Schemas["PointsMessage"] {
  const at_ms = calls.map((_, place) => START + (bucket + place) * RESOLUTION_MS);
  return {
    type: "points",
    available: true,
    now_ms: START + (bucket + calls.length - 1) * RESOLUTION_MS,
    resolution_ms: RESOLUTION_MS,
    at_ms,
    flags: { "shop.a": { calls, failures } },
  };
}

describe("SparkStore", () => {
  it("keeps gaps as gaps", () => {
    const store = new SparkStore();
    store.fill(history([10, null, 0], [50, null, null]));
    const spark = store.spark("shop.a");
    expect(spark?.callsPerS.slice(-3)).toEqual([2, null, 0]);
    expect(spark?.errorRate.slice(-3)).toEqual([50, null, null]);
    expect(spark?.callsPerS).toHaveLength(BUCKETS);
    expect(spark?.callsPerS[0]).toBeNull();
  });

  it("replaces a bucket that has grown, and draws only whole ones", () => {
    const store = new SparkStore();
    store.fill(history([10, 5], [0, 0]));
    store.take(points(1, [8, 4, 2], [4, 0, 0]));
    expect(store.spark("shop.a")?.callsPerS.slice(-3)).toEqual([2, 1.6, 0.8]);
    expect(store.spark("shop.a")?.errorRate.slice(-2)).toEqual([50, 0]);
  });

  it("moves on: what is older than the graph is left out", () => {
    const store = new SparkStore();
    store.fill(history([10], [0]));
    store.take(points(BUCKETS + 1, [5, 5, 5], [0, 0, 0]));
    expect(store.spark("shop.a")?.callsPerS.filter((value) => value !== null)).toEqual([1, 1]);
  });

  it("says that points were missed", () => {
    const store = new SparkStore();
    expect(store.has("shop.a")).toBe(false);
    store.fill(history([10], [0]));
    expect(store.has("shop.a")).toBe(true);
    store.take(points(20, [1, 1, 1], [0, 0, 0]));
    expect(store.has("shop.a")).toBe(false);
  });

  it("measures over the last half minute, and knows nothing of what was not counted", () => {
    const store = new SparkStore();
    store.fill(history([null, null, null, 30, null, 30], [null, null, null, 10, null, 0]));
    expect(store.measured("shop.a")).toEqual({ callsPerS: 2, errorRate: 5 });
    expect(store.measured("shop.b")).toBeUndefined();
    store.take(points(40, [null, null, null], [null, null, null]));
    expect(store.measured("shop.a")).toEqual({ callsPerS: null, errorRate: null });
  });

  it("leaves points of another resolution alone, and says why there are none", () => {
    const store = new SparkStore();
    store.take({ ...points(0, [1], [0]), resolution_ms: 1000 });
    expect(store.spark("shop.a")).toBeNull();
    store.take({ ...points(0, [], []), available: false, detail: "Redis is away." });
    expect(store.trouble).toBe("Redis is away.");
  });
});
