import { describe, expect, it } from "vitest";
import { moved, percentages, withWeight } from "./split";

const split = (...weights: number[]) => weights.map((weight, place) => ({ variant: "abcd"[place] ?? "", weight }));

describe("a split", () => {
  it("divides by the ratio of weights", () => {
    expect(percentages(split(3, 1)).map(({ percent }) => percent)).toEqual([75, 25]);
    expect(percentages(split(0, 0)).map(({ percent }) => percent)).toEqual([0, 0]);
  });
  it("moves nobody when only the ratio stays", () => {
    expect(moved(split(1, 1), split(50, 50))).toBeCloseTo(0);
  });
  it("moves what does not overlap", () => {
    expect(moved(split(1, 1), split(3, 1))).toBeCloseTo(25);
    expect(moved(split(1, 0), split(0, 1))).toBeCloseTo(100);
    // Half of the users of b go to a, and all of c to b.
    expect(moved(split(1, 1, 1), split(1, 1))).toBeCloseTo(50);
  });
  it("keeps places when a weight changes", () => {
    expect(withWeight(split(1, 2), "a", 5)).toEqual(split(5, 2));
    expect(withWeight(split(1, 2), "a", 0)).toEqual([{ variant: "b", weight: 2 }]);
    expect(withWeight(split(1), "b", 1)).toEqual(split(1, 1));
  });
});
