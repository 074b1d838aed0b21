import { describe, expect, test } from "vitest";
import { aFlag } from "../aFlag.test-data";
import { type Circuit, type Draft, draftOf, patchOf } from "./draft";
import { chosen, merged } from "./merge";

const base = { ...draftOf(aFlag()), allow: ["a", "b", "c"], metadata: { ticket: "1" } };
const and = (fields: Partial<Draft>): Draft => ({ ...base, ...fields });
const circuit = (fields: Partial<Circuit>) => ({ circuit: { ...(base.circuit as Circuit), ...fields } });

describe("two people's changes", () => {
  test("of different fields go together", () => {
    const { draft, collisions } = merged(base, and({ rollout: 50 }), and({ owner: "ada@example.org" }));
    expect(collisions).toEqual([]);
    expect(draft).toEqual(and({ rollout: 50, owner: "ada@example.org" }));
  });
  test("that are the same are no conflict", () => {
    expect(merged(base, and({ rollout: 50 }), and({ rollout: 50 }))).toEqual({
      draft: and({ rollout: 50 }),
      collisions: [],
    });
  });
  test("of one field are a choice, which is theirs or mine", () => {
    const both = merged(base, and({ rollout: 50, name: "Theirs" }), and({ rollout: 75, owner: "me" }));
    expect(both.collisions).toEqual([{ path: ["rollout"], was: 100, theirs: 50, mine: 75 }]);
    expect(chosen(both, {})).toEqual(and({ rollout: 75, name: "Theirs", owner: "me" }));
    expect(chosen(both, { rollout: "theirs" })).toEqual(and({ rollout: 50, name: "Theirs", owner: "me" }));
  });
  test("of lists without an order are both made", () => {
    const { draft, collisions } = merged(base, and({ allow: ["b", "c", "d"] }), and({ allow: ["a", "c", "e"] }));
    expect(collisions).toEqual([]);
    expect(draft.allow).toEqual(["c", "d", "e"]);
  });
  test("of a circuit are told apart setting by setting", () => {
    const theirs = and(circuit({ error_threshold: 20, window_ms: 5000, reset_generation: 3 }));
    const mine = and(circuit({ error_threshold: 30, min_calls: 50 }));
    const both = merged(base, theirs, mine);
    expect(both.collisions).toEqual([{ path: ["circuit", "error_threshold"], was: 50, theirs: 20, mine: 30 }]);
    expect(chosen(both, { "circuit.error_threshold": "theirs" }).circuit).toEqual({
      ...theirs.circuit,
      min_calls: 50,
    });
  });
  test("of a circuit that one of them takes away are a choice of the whole", () => {
    const both = merged(base, and({ circuit: null }), and(circuit({ min_calls: 50 })));
    expect(both.collisions.map(({ path }) => path)).toEqual([["circuit"]]);
    expect(chosen(both, { circuit: "theirs" }).circuit).toBeNull();
  });
  test("of a circuit's recovery are told apart too", () => {
    const recovery = base.circuit?.recovery as NonNullable<Circuit["recovery"]>;
    const both = merged(
      base,
      and(circuit({ recovery: { ...recovery, initial: 1 } })),
      and(circuit({ recovery: { ...recovery, initial: 5, delay_ms: 1 } })),
    );
    expect(both.collisions.map(({ path }) => path.join("."))).toEqual(["circuit.recovery.initial"]);
    expect(both.draft.circuit?.recovery?.delay_ms).toBe(1);
  });
  test("of metadata are told apart by name; what one removed is gone", () => {
    const { draft, collisions } = merged(base, and({ metadata: {} }), and({ metadata: { ticket: "1", team: "pay" } }));
    expect(collisions).toEqual([]);
    expect(draft.metadata).toEqual({ team: "pay" });
    const both = merged(base, and({ metadata: {} }), and({ metadata: { ticket: "2" } }));
    expect(both.collisions.map(({ path }) => path)).toEqual([["metadata", "ticket"]]);
    expect(chosen(both, { "metadata.ticket": "theirs" }).metadata).toEqual({});
  });
  test("of rules are a choice of the whole, since their order is what they mean", () => {
    const [one, two] = [
      { when: [], rollout: 1 },
      { when: [], rollout: 2 },
    ];
    expect(merged(base, and({ rules: [one] }), and({ rules: [two] })).collisions).toHaveLength(1);
  });
});

describe("what is sent", () => {
  test("is what differs, inside the circuit too, and never a generation", () => {
    expect(patchOf(base, and({ rollout: 50, ...circuit({ error_threshold: 20, reset_generation: 9 }) }))).toEqual({
      rollout: 50,
      circuit: { error_threshold: 20 },
    });
    expect(patchOf(base, and({ circuit: null }))).toEqual({ circuit: null });
    const added = patchOf(and({ circuit: null }), base).circuit;
    expect(added).toMatchObject({ error_threshold: 50 });
    expect(added).not.toHaveProperty("reset_generation");
    expect(patchOf(base, base)).toEqual({});
    expect(patchOf(base, and({ name: "" }))).toEqual({ name: null });
  });
});
