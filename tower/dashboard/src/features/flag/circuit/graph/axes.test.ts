import { describe, expect, it } from "vitest";
import { percentageTop, roundTop } from "./axes";
import { limitsOf, resolutionFor, spanOf, withSpan, zoomed } from "./span";

describe("the axis of error rates", () => {
  it("has the threshold with room above it, also where nothing fails", () => {
    expect(percentageTop(20, [[0, null, 0.5]])).toBe(25);
    expect(percentageTop(50, [[]])).toBe(100);
  });

  it("has all that was measured, and the lowest rate that opens the circuit", () => {
    expect(percentageTop(5, [[7, 62]])).toBe(100);
    expect(percentageTop(5, [[1]], [null, 12.5, 40])).toBe(25);
    expect(percentageTop(null, [[0.7]])).toBe(1);
    expect(percentageTop(100, [[100]])).toBe(100);
    expect(percentageTop(null, [[0, null]])).toBe(100);
  });

  it("stays where it is while rates move a little", () => {
    const tops = [11, 13, 17, 19, 24].map((rate) => percentageTop(10, [[rate]]));
    expect(new Set(tops)).toEqual(new Set([25]));
  });
});

describe("the axis of counts", () => {
  it("ends at a round number", () => {
    expect([0, 0.3, 7, 23, 61, 4_100].map((most) => roundTop([[most]], 1))).toEqual([1, 1, 8, 30, 80, 6_000]);
  });
});

describe("the time of a graph", () => {
  it("is kept in the URL, with the range that a zoom leads back to", () => {
    const range = withSpan(new URLSearchParams("x=1"), { range: "1h" });
    expect(range.toString()).toBe("x=1&range=1h");
    const zoom = withSpan(range, { fromMs: 10, toMs: 20 });
    expect(spanOf(zoom)).toEqual({ fromMs: 10, toMs: 20 });
    expect(withSpan(zoom, { range: "1h" }).toString()).toBe("x=1&range=1h");
  });

  it("is the usual one where the URL says none", () => {
    for (const query of ["", "range=2h", "from_ms=5&to_ms=1", "from_ms=x&to_ms=9"]) {
      expect(spanOf(new URLSearchParams(query))).toEqual({ range: "5m" });
    }
  });

  it("ends now, or where it was drawn to, never ahead of now and never too short", () => {
    expect(limitsOf({ range: "1m" }, 100_000)).toEqual({ fromMs: 40_000, toMs: 100_000 });
    expect(zoomed(90_000, 20_000, 100_000)).toEqual({ fromMs: 20_000, toMs: 90_000 });
    expect(zoomed(60_000, 61_000, 100_000)).toEqual({ fromMs: 58_000, toMs: 63_000 });
    expect(zoomed(99_000, 100_000, 100_000)).toEqual({ fromMs: 95_000, toMs: 100_000 });
  });

  it("is shown as finely as circuits are judged, where it is short and recent", () => {
    expect(resolutionFor({ fromMs: 0, toMs: 60_000 }, 100_000)).toBe(250);
    expect(resolutionFor({ fromMs: 0, toMs: 60_000 }, 4_000_000)).toBeUndefined();
    expect(resolutionFor({ range: "1m" }, 0)).toBeUndefined();
  });
});
