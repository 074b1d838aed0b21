import { expect, it } from "vitest";
import { runsOf, topOf } from "./drawing";

it("runsOf finds what is known in a row", () => {
  expect(runsOf([null, 1, 2, null, 0])).toEqual([
    [1, 3],
    [4, 5],
  ]);
  expect(runsOf([null, null])).toEqual([]);
});

it("topOf has the threshold in the picture, and never more than all calls", () => {
  expect(topOf([1, null], 50)).toBe(60);
  expect(topOf([100], 95)).toBe(100);
  expect(topOf([], null)).toBe(2);
});
