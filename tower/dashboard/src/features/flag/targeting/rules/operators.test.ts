import { describe, expect, it } from "vitest";
import { type Condition, conditionValue, OFFERED, OPERATORS, withOperator } from "./operators";

const pasted: Condition = { attribute: "country", operator: "in", values: ["DE", "AT"], ignore_case: true };

describe("operators", () => {
  it("are all offered, once each", () => {
    const offered = OFFERED.flatMap(({ items }) => items.map(({ value }) => value));
    expect(offered.toSorted()).toEqual(Object.keys(OPERATORS).toSorted());
  });
  it("keep the values that the new one can have", () => {
    expect(withOperator(pasted, "contains")).toEqual({ ...pasted, operator: "contains" });
    expect(withOperator(pasted, "ge")).toEqual({ ...pasted, operator: "ge", values: ["DE"], ignore_case: false });
    expect(withOperator(pasted, "exists").values).toEqual([true]);
    expect(withOperator(pasted, "in_segment").values).toEqual([]);
    expect(withOperator({ ...pasted, operator: "exists", values: [false] }, "in").values).toEqual([]);
  });
  it("compare numbers as numbers, and lose no digit", () => {
    expect(conditionValue("18", "ge")).toBe(18);
    expect(conditionValue("0.5", "lt")).toBe(0.5);
    expect(conditionValue("9007199254740993", "ge")).toBe("9007199254740993");
    expect(conditionValue("5", "in")).toBe("5");
    expect(conditionValue("many", "ge")).toBe("many");
  });
});
