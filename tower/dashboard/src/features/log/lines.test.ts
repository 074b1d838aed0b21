import { describe, expect, it } from "vitest";
import { type Change, linesOf, linesOfState, nameOf, ruleInWords, valueInWords } from "./lines";

const change = (path: Change["path"], rest: object): Change => ({ field: path.join("."), path, ...rest }) as Change;

describe("linesOf", () => {
  it("writes values with their units", () => {
    expect(
      linesOf(
        [
          change(["rollout"], { before: 25, after: 50 }),
          change(["circuit", "recovery", "delay_ms"], { before: 30000, after: 120000 }),
          change(["circuit", "error_threshold"], { before: 50, after: 20.5 }),
          change(["active"], { before: false, after: true }),
        ],
        "flag",
      ),
    ).toEqual([
      { kind: "value", name: "rollout", before: { text: "25%" }, after: { text: "50%" } },
      { kind: "value", name: "recovery delay", before: { text: "30 s" }, after: { text: "2 min" } },
      { kind: "value", name: "error threshold", before: { text: "50%" }, after: { text: "20.5%" } },
      { kind: "value", name: "on", before: { text: "no" }, after: { text: "yes" } },
    ]);
  });

  it("tells what was not there from what was none", () => {
    expect(linesOf([change(["owner"], { before: null, after: "team" })], "flag")).toEqual([
      { kind: "value", name: "owner", before: { text: "none" }, after: { text: "team" } },
    ]);
    expect(linesOf([change(["variants", "red"], { after: "#f00" })], "flag")).toEqual([
      { kind: "value", name: "variant red", before: null, after: { text: "#f00" } },
    ]);
  });

  it("says what a list has lost and gained", () => {
    expect(linesOf([change(["allow"], { removed: ["u1"], added: ["u2", "u3"] })], "flag")).toEqual([
      { kind: "list", name: "allow list", removed: ["u1"], added: ["u2", "u3"] },
    ]);
    const rule = { when: [{ attribute: "country", operator: "in", values: ["DE"] }], rollout: 50 };
    expect(linesOf([change(["rules"], { removed: [], added: [rule] })], "flag")).toEqual([
      { kind: "list", name: "rules", removed: [], added: ["country is one of DE → 50%"] },
    ]);
  });

  it("takes a circuit's times for moments", () => {
    expect(linesOf([change(["since_ms"], { before: 1, after: 2 })], "circuit")).toEqual([
      { kind: "value", name: "in this state since", before: { moment: 1 }, after: { moment: 2 } },
    ]);
  });
});

describe("names", () => {
  it("say where in a list something is, as people count", () => {
    expect(nameOf(["rules", 1, "rollout"])).toBe("rollout of rule 2");
    expect(nameOf(["rules", 0, "when", 0, "values"])).toBe("values of condition 1 of rule 1");
    expect(nameOf(["defaults", "circuit", "window_ms"])).toBe("defaults circuit window");
  });
});

describe("values", () => {
  it("say rules and conditions in words", () => {
    expect(
      ruleInWords({
        name: "staff",
        when: [
          { attribute: "email", operator: "ends_with", values: ["@example.org"] },
          { operator: "in_segment", values: ["beta"], negate: true },
        ],
        variant: "red",
      }),
    ).toBe("staff: email ends with @example.org and user not: is in the segment beta → red");
  });

  it("say prerequisites, shares and objects", () => {
    expect(valueInWords(["requires"], [{ flag: "pay", variants: null }])).toBe("pay gives any but its off variant");
    expect(valueInWords(["split"], [{ variant: "a", weight: 1 }])).toBe("a 1");
    expect(valueInWords(["circuit", "recovery"], { initial: 10, interval_ms: 5000 })).toBe(
      "first recovery step: 10%\nrecovery interval: 5 s",
    );
    expect(valueInWords(["deny"], [])).toBe("none");
  });
});

describe("linesOfState", () => {
  it("shows what was made without what is empty or kept for programs", () => {
    expect(linesOfState({ version: 1, rollout: 5, allow: [], name: "x", owner: null }, "flag", true)).toEqual([
      { kind: "value", name: "rollout", before: null, after: { text: "5%" } },
      { kind: "value", name: "name", before: null, after: { text: "x" } },
    ]);
  });
});
