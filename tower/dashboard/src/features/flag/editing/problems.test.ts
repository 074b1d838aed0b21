import { describe, expect, test } from "vitest";
import { ProblemError } from "@/api/problem";
import { fieldPath, problemAt, problemIn, tabOf } from "./problems";

const refused = (field: string | null) => ({
  problem: new ProblemError({ code: "INVALID", status: 400, detail: "A percentage is a number from 0 to 100.", field }),
});

describe("problems", () => {
  test("are found at the control that they are about, however the place is written", () => {
    expect(problemAt(refused("rules[0].when[0].values[3]"), "rules.0.when.0.values")).toMatch("A percentage");
    expect(problemAt(refused("rules.0.when.0.values"), "rules.0.when.0.values")).toMatch("A percentage");
    expect(problemAt(refused("rules.10.rollout"), "rules.1")).toBeNull();
    expect(problemAt(refused("rollout"), "rules")).toBeNull();
    expect(problemAt(refused(null), "rollout")).toBeNull();
    expect(problemAt({ problem: null }, "rollout")).toBeNull();
    expect(fieldPath('metadata["ticket"]')).toBe("metadata.ticket");
  });
  test("are found in the groups around it", () => {
    expect(problemIn(refused("rules[1].rollout"), "rules.1")).toBe(true);
    expect(problemIn(refused("rules[1].rollout"), "rules.0")).toBe(false);
  });
  test("lead to the page with the field", () => {
    expect(tabOf("circuit.recovery.delay_ms")).toBe("circuit");
    expect(tabOf("rules[0].when[0]")).toBe("targeting");
    expect(tabOf("metadata.ticket")).toBe("settings");
    expect(tabOf("Tailslide-Reason")).toBeNull();
  });
});
