import { describe, expect, it } from "vitest";
import type { Preview } from "./api";
import { about, previewBands, previewInWords, times } from "./words";

const preview: Preview = {
  app: "shop",
  flag: "pay",
  points: { from_ms: 0, to_ms: 3_600_000, resolution_ms: 250, points: 14_400, now_ms: 3_599_000, source: "raw" },
  settings: {},
  counted: true,
  calls: 10_000,
  failures: 420,
  opened: 2,
  open_ms: 240_000,
  recovering_ms: 90_000,
  state: "closed",
  transitions: [
    { at_ms: 1000, signal: "breach", state: "open", percentage: 0, lasted_ms: 30_000, reason: null },
    { at_ms: 31_000, signal: "delay_over", state: "recovering", percentage: 10, lasted_ms: 5_000, reason: null },
    { at_ms: 36_000, signal: "ramp_finished", state: "closed", percentage: 100, lasted_ms: 100, reason: null },
  ],
  omitted_transitions: 0,
  avoided: { failures: 321.4, successes: 0.2, estimate: true },
  limits: [],
};

describe("what settings would have done", () => {
  it("is told beside the present ones, where those are others", () => {
    expect(previewInWords("1h", preview, { ...preview, opened: 0 })).toEqual([
      "In the last hour 4.2% of 10,000 calls failed.",
      "These settings would have opened it twice, for 4 min in all; about 320 failed calls would have been kept from users.",
      "The present settings would not have opened it.",
    ]);
  });

  it("is told of the present ones alone, with the good calls that are lost", () => {
    const told = previewInWords("24h", { ...preview, avoided: { failures: 3, successes: 1234, estimate: true } }, null);
    expect(told).toEqual([
      "In the last day 4.2% of 10,000 calls failed.",
      "The present settings would have opened it twice, for 4 min in all; about 3 failed calls would have been kept from users, and about 1,200 good ones with them.",
    ]);
  });

  it("is nothing where nothing was counted", () => {
    expect(previewInWords("1h", { ...preview, calls: 0 }, null)).toEqual([
      "No calls of this flag were counted in the last hour.",
    ]);
  });

  it("is drawn where users would have been kept away", () => {
    expect(previewBands(preview)).toEqual([
      { state: "open", percentage: 0, fromMs: 1000, toMs: 31_000 },
      { state: "recovering", percentage: 10, fromMs: 31_000, toMs: 36_000 },
    ]);
  });

  it("is estimated to two digits", () => {
    expect([about(0.4), about(7.4), about(128), about(45_678)]).toEqual(["no", "about 7", "about 130", "about 46,000"]);
    expect([times(1), times(2), times(3)]).toEqual(["once", "twice", "3 times"]);
  });
});
