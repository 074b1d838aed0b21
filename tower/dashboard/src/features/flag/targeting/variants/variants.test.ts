import { describe, expect, it } from "vitest";
import {
  jsonProblem,
  keptBecause,
  nameProblem,
  readValue,
  renamed,
  type VariantFields,
  withoutVariant,
} from "./variants";

const fields: VariantFields = {
  type: "string",
  variants: { blue: "#00f", green: "#0f0", red: "#f00" },
  off_variant: "blue",
  split: [{ variant: "green", weight: 1 }],
  rules: [
    { when: [], variant: "green" },
    { when: [], rollout: 50, split: [{ variant: "green", weight: 2 }] },
  ],
};

describe("variants", () => {
  it("are renamed wherever they stand, at their place", () => {
    const after = renamed(fields, "green", "lime");
    expect(Object.keys(after.variants ?? {})).toEqual(["blue", "lime", "red"]);
    expect(after.split).toEqual([{ variant: "lime", weight: 1 }]);
    expect(after.rules?.[0]?.variant).toBe("lime");
    expect(after.rules?.[1]).toEqual({ when: [], rollout: 50, split: [{ variant: "lime", weight: 2 }] });
    expect(renamed(fields, "blue", "off").off_variant).toBe("off");
  });
  it("stay while something gives them", () => {
    expect(keptBecause(fields, "blue")).toMatch(/off variant/);
    expect(keptBecause(fields, "green")).toMatch(/All users who are in/);
    expect(keptBecause({ ...fields, split: [{ variant: "red", weight: 1 }] }, "green")).toMatch(/Rule 1 gives it/);
    expect(keptBecause(fields, "red")).toBeNull();
    expect(withoutVariant(fields, "red").variants).toEqual({ blue: "#00f", green: "#0f0" });
  });
  it("have names that Tower takes", () => {
    for (const name of ["a", "A.b-c_d", "9"]) expect(nameProblem(name, [])).toBeNull();
    for (const name of ["", "_a", ".a", "a.", "a..b", "a b", "x".repeat(101)])
      expect(nameProblem(name, [])).not.toBeNull();
    expect(nameProblem("a", ["a"])).toMatch(/already/);
  });
});

describe("a value", () => {
  it("is read by its type", () => {
    expect(readValue("0.25", "number")).toEqual({ value: 0.25, problem: null });
    expect(readValue("many", "number").problem).toMatch(/number/);
    expect(readValue('{"a": 1}', "object")).toEqual({ value: { a: 1 }, problem: null });
    expect(readValue("[1]", "object").problem).toMatch(/object/);
    expect(readValue("7", "string")).toEqual({ value: "7", problem: null });
  });
  it("that is no JSON says the line", () => {
    expect(readValue('{\n  "a": 1,\n}', "object").problem).toMatch(/^Not JSON, line 3/);
    expect(jsonProblem("{\n\n!", "Unexpected token ! in JSON at position 3")).toBe(
      "Not JSON, line 3: Unexpected token !.",
    );
    expect(jsonProblem("{", "JSON.parse: end of data at line 1 column 2 of the JSON data")).toBe(
      "Not JSON, line 1: end of data.",
    );
    expect(jsonProblem("{", "JSON Parse error: Expected '}'")).toBe("Not JSON: JSON Parse error: Expected '}'.");
  });
});
