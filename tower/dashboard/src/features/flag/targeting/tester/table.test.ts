import { describe, expect, it } from "vitest";
import type { Answer } from "./evaluate";
import { csvOf, tallied } from "./table";

const answer = (fields: Partial<Answer>): Answer => ({
  targeting_key: "ada",
  active: true,
  variant: "on",
  value: true,
  reason: "SPLIT",
  rule: null,
  prerequisite: null,
  prerequisite_reason: null,
  is_error: false,
  decided_by: "rollout",
  explanation: { active: true, requires: [], denied: false, allowed: false, rules: [], rollout: null },
  ...fields,
});

describe("answers of many keys", () => {
  it("are counted by variant and by reason", () => {
    const { variants, reasons } = tallied([
      answer({}),
      answer({ variant: "off", active: false }),
      answer({ rule: "staff" }),
      answer({}),
    ]);
    expect(variants).toEqual([
      { variant: "on", active: true, answers: 3 },
      { variant: "off", active: false, answers: 1 },
    ]);
    expect(reasons).toEqual([
      { reason: "SPLIT", rule: null, answers: 3 },
      { reason: "SPLIT", rule: "staff", answers: 1 },
    ]);
  });
  it("are written as CSV", () => {
    const lines = csvOf([answer({ targeting_key: '=a,"b"', value: { a: 1 } })]).split("\r\n");
    expect(lines[0]).toBe("targeting_key,active,variant,value,reason,rule,decided_by,prerequisite");
    expect(lines[1]).toBe(`"'=a,""b""",true,on,"{""a"":1}",SPLIT,,rollout,`);
    expect(lines[2]).toBe("");
  });
});
