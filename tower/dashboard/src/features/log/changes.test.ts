import { describe, expect, it } from "vitest";
import { changesBetween } from "./changes";

describe("changesBetween", () => {
  it("says nothing where nothing differs", () => {
    expect(changesBetween({ a: 1, b: { c: [1, 2] } }, { b: { c: [1, 2] }, a: 1 })).toEqual([]);
  });

  it("goes into objects, and into lists of as many objects", () => {
    expect(
      changesBetween(
        { circuit: { window_ms: 1000, min_calls: 10 }, rules: [{ rollout: 5 }, { rollout: 6 }] },
        { circuit: { window_ms: 2000, min_calls: 10 }, rules: [{ rollout: 5 }, { rollout: 7 }] },
      ),
    ).toEqual([
      { field: "circuit.window_ms", path: ["circuit", "window_ms"], before: 1000, after: 2000 },
      { field: "rules[1].rollout", path: ["rules", 1, "rollout"], before: 6, after: 7 },
    ]);
  });

  it("says what lists lose and gain", () => {
    expect(changesBetween({ allow: ["a", "b", "b"] }, { allow: ["b", "c"] })).toEqual([
      { field: "allow", path: ["allow"], removed: ["a", "b"], added: ["c"] },
    ]);
  });

  it("gives both lists where only the order differs, or something came in between", () => {
    expect(changesBetween({ l: [1, 2] }, { l: [2, 1] })).toEqual([
      { field: "l", path: ["l"], before: [1, 2], after: [2, 1] },
    ]);
    expect(changesBetween({ l: [1, 2] }, { l: [1, 3, 2] })).toEqual([
      { field: "l", path: ["l"], before: [1, 2], after: [1, 3, 2] },
    ]);
  });

  it("leaves out the side on which there is no such member", () => {
    expect(changesBetween({ m: { a: 1 } }, { m: { a: 1, b: null } })).toEqual([
      { field: "m.b", path: ["m", "b"], after: null },
    ]);
  });
});
