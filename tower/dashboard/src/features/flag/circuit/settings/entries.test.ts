import { describe, expect, it } from "vitest";
import { inMs, writtenIn } from "./durations";
import { onTheWire, statusProblem } from "./statuses";

describe("durations", () => {
  it.each([
    [30_000, 30, "s"],
    [600_000, 10, "min"],
    [1_500, 1_500, "ms"],
    [250, 250, "ms"],
    [86_400_000, 24, "h"],
    [0, 0, "s"],
    [90_000, 90, "s"],
  ] as const)("%i ms are written as %i %s", (ms, value, unit) => {
    expect(writtenIn(ms)).toEqual({ value, unit });
    expect(inMs({ value, unit })).toBe(ms);
  });

  it("are whole milliseconds", () => {
    expect(inMs({ value: 1.2345, unit: "s" })).toBe(1235);
  });
});

describe("failure statuses", () => {
  it.each(["429", "5xx", "500-504", "404-404"])("may be %s", (pattern) => {
    expect(statusProblem(pattern)).toBeNull();
  });

  it.each(["600", "6xx", "5XX", "504-500", "abc", "50"])("may not be %s", (pattern) => {
    expect(statusProblem(pattern)).toContain(pattern);
  });

  it("are numbers where they are single ones", () => {
    expect(onTheWire("429")).toBe(429);
    expect(onTheWire("5xx")).toBe("5xx");
  });
});
