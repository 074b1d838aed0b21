import { describe, expect, it } from "vitest";
import type { Condition } from "./operators";
import { conditionInWords, type Rule, ruleInWords } from "./words";

const around = { split: [{ variant: "green", weight: 1 }], off_variant: "blue" };
const condition = (fields: Partial<Condition>): Condition => ({
  attribute: "country",
  operator: "in",
  values: ["DE"],
  ...fields,
});
const rule = (fields: Partial<Rule>): Rule => ({ when: [condition({ values: ["DE", "AT"] })], ...fields });

describe("a rule in words", () => {
  it("reads as a sentence", () => {
    const when = [condition({ values: ["DE", "AT"] }), condition({ attribute: "plan", values: ["pro"] })];
    expect(ruleInWords({ when, rollout: 50 }, around)).toBe(
      "If country is one of DE, AT and plan is pro: 50% of them get green, the others blue.",
    );
  });
  it("says what all get", () => {
    expect(ruleInWords(rule({ rollout: 100 }), around)).toBe("If country is one of DE, AT: all of them get green.");
    expect(ruleInWords(rule({ variant: "red" }), around)).toBe("If country is one of DE, AT: all of them get red.");
    expect(ruleInWords(rule({ variant: "blue" }), around)).toContain("all of them get blue, the off variant.");
    expect(ruleInWords(rule({ rollout: 0 }), around)).toContain("none of them is in: all get blue.");
  });
  it("says the parts of a split, its own before the flag's", () => {
    const split = [
      { variant: "green", weight: 2 },
      { variant: "red", weight: 1 },
      { variant: "blue", weight: 1 },
      { variant: "grey", weight: 0 },
    ];
    expect(ruleInWords(rule({ rollout: 100, split }), around)).toContain(
      "all of them get green (50%), red (25%) or blue (25%).",
    );
  });
  it("is for everybody without conditions", () => {
    expect(ruleInWords({ when: [], rollout: 10 }, around)).toBe("Everybody: 10% of them get green, the others blue.");
  });
});

describe("a condition in words", () => {
  it.each<[Partial<Condition>, string]>([
    [{ values: ["DE"] }, "country is DE"],
    [{ values: ["DE"], negate: true }, "country is not DE"],
    [{ values: ["DE", "FR"], operator: "not_in" }, "country is none of DE, FR"],
    [{ values: ["DE", "FR"], operator: "not_in", negate: true }, "country is one of DE, FR"],
    [
      { attribute: "email", operator: "ends_with", values: ["@example.com"], ignore_case: true },
      "email ends with @example.com (in any case)",
    ],
    [{ attribute: "age", operator: "ge", values: [18] }, "age is at least 18"],
    [{ attribute: "app", operator: "semver_ge", values: ["2.1"] }, "app is a version of at least 2.1"],
    [
      { attribute: "address", operator: "ip_in", values: ["10.0.0.0/8"], negate: true },
      "address is an address outside 10.0.0.0/8",
    ],
    [{ operator: "exists", values: [] }, "country is known"],
    [{ operator: "exists", values: [false] }, "country is missing"],
    [{ operator: "exists", values: [false], negate: true }, "country is known"],
    [{ attribute: "targetingKey", operator: "in_segment", values: ["beta"] }, "the user is in the segment beta"],
    [
      { attribute: "company", operator: "in_segment", values: ["a", "b"], negate: true },
      "company is in none of the segments a, b",
    ],
    [{ attribute: undefined, operator: "starts_with", values: ["test-"] }, "the targeting key begins with test-"],
    [{ values: ["a,b", ""] }, 'country is one of "a,b", ""'],
    [{ values: [true] }, "country is true"],
    [{ values: ["1", "2", "3", "4", "5", "6", "7"] }, "country is one of 1, 2, 3, 4, 5 and 2 more"],
    [{ attribute: "", values: [] }, "… is …"],
  ])("%o", (fields, words) => {
    expect(conditionInWords(condition(fields))).toBe(words);
  });
});
