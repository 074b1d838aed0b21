import { describe, expect, test } from "vitest";
import { aFlag } from "../aFlag.test-data";
import { changesInWords } from "./changesInWords";
import { type Circuit, type Draft, draftOf, EDITED } from "./draft";

const before = draftOf(aFlag());
const words = (fields: Partial<Draft>, of: Partial<Draft> = {}) =>
  changesInWords({ ...before, ...of }, { ...before, ...of, ...fields });
const circuit = (fields: Partial<Circuit>) => ({ circuit: { ...(before.circuit as Circuit), ...fields } });
const recovery = (fields: object) =>
  circuit({ recovery: { ...(before.circuit?.recovery as object), ...fields } as never });

describe("changes in words", () => {
  test("nothing has changed", () => {
    expect(words({})).toEqual([]);
  });
  test.each<[Partial<Draft>, string[]]>([
    [{ rollout: 50 }, ["rollout 100% → 50%"]],
    [{ rollout: 0.5 }, ["rollout 100% → 0.5%"]],
    [{ active: false }, ["turned off"]],
    [{ name: "Checkout" }, ["name “New checkout” → “Checkout”"]],
    [{ description: "What it is for" }, ["description added"]],
    [{ tags: ["web", "pay"] }, ["tags “web”, “pay” added"]],
    [{ owner: "ada@example.org" }, ["owner none → ada@example.org"]],
    [
      { lifetime: "temporary", expected_end: "2027-03-31" },
      ["lifetime permanent → temporary", "expected end none → 2027-03-31"],
    ],
    [{ type: "string" }, ["type boolean → string"]],
    [{ off_variant: "on" }, ["off variant off → on"]],
    [{ bucket_by: "company" }, ["bucketing attribute none → company"]],
    [
      {
        split: [
          { variant: "on", weight: 9 },
          { variant: "off", weight: 1 },
        ],
      },
      ["split on 1 → on 9 : off 1"],
    ],
    [{ variants: { on: true, off: false, maybe: true } }, ["variant “maybe” added"]],
    [{ variants: { on: false } }, ["variant “on” yes → no", "variant “off” removed"]],
    [{ metadata: { ticket: "SHOP-12" } }, ["metadata “ticket” added"]],
    [{ requires: [{ flag: "new-api" }] }, ["prerequisite new-api added"]],
    [{ allow: ["a", "b"], deny: ["c"] }, ["2 users added to the allow list", "1 user added to the deny list"]],
  ])("%o", (fields, said) => {
    expect(words(fields)).toEqual(said);
  });
  test("lists are told as what was added and removed", () => {
    expect(words({ allow: ["b", "c", "d"] }, { allow: ["a", "b"] })).toEqual([
      "2 users added to the allow list",
      "1 user removed from the allow list",
    ]);
    expect(words({ allow: ["b", "a"] }, { allow: ["a", "b"] })).toEqual(["order of the allow list changed"]);
    expect(words({ tags: ["b"] }, { tags: ["a"] })).toEqual(["tag “b” added", "tag “a” removed"]);
  });
  test("prerequisites are told by their flags", () => {
    const of = { requires: [{ flag: "a" }, { flag: "b", variants: ["on"] }] };
    expect(words({ requires: [{ flag: "b", variants: ["on", "off"] }] }, of)).toEqual([
      "variants of the prerequisite b changed",
      "prerequisite a removed",
    ]);
    expect(words({ requires: [...of.requires].reverse() }, of)).toEqual(["order of the prerequisites changed"]);
  });
  test("long values are not spelled out", () => {
    expect(words({ owner: "a".repeat(60) })).toEqual(["owner changed"]);
    expect(words({ description: "b" }, { description: "a" })).toEqual(["description changed"]);
    expect(words({ metadata: { note: "x".repeat(60) } }, { metadata: { note: "y" } })).toEqual([
      "metadata “note” changed",
    ]);
  });
});

describe("rules in words", () => {
  const rule = (attribute: string, name?: string, rollout = 100) => ({
    when: [{ attribute, operator: "in" as const, values: ["x"], negate: false, ignore_case: false }],
    rollout,
    ...(name === undefined ? {} : { name }),
  });
  const [a, b, c] = [rule("a"), rule("b"), rule("c", "staff")];
  test.each([
    [[a, b], [a, b, c], ["rule “staff” added"]],
    [[a, b, c], [a, c], ["rule 2 removed"]],
    [[a, b, c], [c, a, b], ["rule “staff” moved to place 1"]],
    [[a, b], [b, a], ["rule 1 moved to place 2"]],
    [[a, b], [a, { ...b, rollout: 5 }], ["rule 2 changed"]],
    [
      [a, b, c],
      [{ ...c, rollout: 5 }, a, b],
      ["rule “staff” moved to place 1", "rule “staff” changed"],
    ],
    [[a, b], [b], ["rule 1 removed"]],
    [[], [a], ["rule 1 added"]],
    [[c], [rule("c", "testers")], ["rule “testers” added", "rule “staff” removed"]],
  ])("%o → %o", (was, is, said) => {
    expect(words({ rules: is }, { rules: was }).sort()).toEqual([...said].sort());
  });
});

describe("a circuit's settings in words", () => {
  test.each<[Partial<Draft>, string[]]>([
    [circuit({ error_threshold: 20 }), ["error threshold 50% → 20%"]],
    [circuit({ window_ms: 5_000, long_window_ms: 3_600_000 }), ["window 10 s → 5 s", "long window 30 min → 1 h"]],
    [circuit({ min_calls: 1000 }), ["fewest calls judged 10 → 1,000"]],
    [circuit({ confidence: 0.999 }), ["confidence 0.9999 → 0.999"]],
    [circuit({ failure_statuses: ["5xx", 429] }), ["failure statuses 5xx → 5xx, 429"]],
    [
      circuit({ slow_call_ms: 800, slow_threshold: 30 }),
      ["slow-call limit none → 800 ms", "slow-call threshold none → 30%"],
    ],
    [circuit({ forced_open: true }), ["held off (forced open)"]],
    [circuit({ recovery: null }), ["recovery taken away: an open circuit waits for a person"]],
    [circuit({ local_guard: { consecutive_failures: 5, max_ms: 2000 } }), ["local guard turned on"]],
    [recovery({ delay_ms: 60_000, initial: 1 }), ["recovery delay 30 s → 1 min", "first recovery step 10% → 1%"]],
    [
      recovery({ max_delay_ms: 60_000, increment: 50 }),
      ["longest recovery delay 10 min → 1 min", "recovery increment 10% → 50%"],
    ],
    [
      recovery({ interval_ms: 100, profile: "exponential" }),
      ["recovery interval 5 s → 100 ms", "recovery profile linear → exponential"],
    ],
    [{ circuit: null }, ["circuit removed: it is not judged any more"]],
    [circuit({ reset_generation: 7 }), []],
  ])("%o", (fields, said) => {
    expect(words(fields).sort()).toEqual([...said].sort());
  });
  test("what was not there before", () => {
    expect(words(circuit({}), { circuit: null })).toEqual(["circuit added"]);
    expect(words(circuit({}), circuit({ forced_open: true }))).toEqual(["no longer held off"]);
    expect(words(circuit({}), circuit({ recovery: null }))).toEqual(["recovery added: users come back by themselves"]);
    const guarded = circuit({ local_guard: { consecutive_failures: 5, max_ms: 2000 } });
    expect(words(circuit({ local_guard: { consecutive_failures: 3, max_ms: 1000 } }), guarded)).toEqual([
      "failed connections of the local guard 5 → 3",
      "longest time of the local guard 2 s → 1 s",
    ]);
  });
});

test("every field that is edited has words", () => {
  const other: Draft = {
    name: "x",
    description: "x",
    tags: ["x"],
    owner: "x",
    lifetime: "temporary",
    expected_end: "2027-01-01",
    active: false,
    type: "string",
    variants: { x: "x" },
    off_variant: "x",
    split: [],
    bucket_by: "x",
    requires: [{ flag: "x" }],
    metadata: { x: 1 },
    rollout: 1,
    allow: ["x"],
    deny: ["x"],
    rules: [{ when: [], rollout: 1 }],
    circuit: null,
    salt: "x",
  };
  for (const field of EDITED) expect(words({ [field]: other[field] }), field).not.toEqual([]);
});
