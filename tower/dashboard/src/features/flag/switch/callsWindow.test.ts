import { expect, test } from "vitest";
import { CallsWindow } from "./callsWindow";

const points = (resolutionMs: number, from: number, calls: (number | null)[]) => ({
  resolutionMs,
  atMs: calls.map((_, index) => from + index * resolutionMs),
  calls,
});

test("calls a minute come of complete buckets, and gaps count as none", () => {
  const window = new CallsWindow();
  expect(window.perMinute()).toBeNull();
  window.take(points(5000, 0, [10, null, 30]));
  expect(window.perMinute()).toBe(60);
  window.take(points(5000, 5000, [2, 30, 7]));
  // 10 + 2 + 30 in 15 s.
  expect(window.perMinute()).toBe(168);
});

test("what is older than a minute is forgotten", () => {
  const window = new CallsWindow();
  window.take(points(5000, 0, [1000]));
  for (let at = 5000; at <= 80_000; at += 5000) window.take(points(5000, at, [5]));
  expect(window.perMinute()).toBe(60);
});

test("another width of the buckets starts again from nothing", () => {
  const window = new CallsWindow();
  window.take(points(5000, 0, [10, 10, 10]));
  window.take(points(1000, 20_000, [3, 3, 3]));
  expect(window.perMinute()).toBeNull();
});
