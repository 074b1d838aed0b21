import { describe, expect, it } from "vitest";
import { type Band, bandsOf, clustersOf, isShown, type Mark, recoveriesOf, stateAfter } from "./bands";

let id = 0;
function mark(seconds: number, action: string, state: Mark["state"] = null, percentage: number | null = null): Mark {
  id += 1;
  const kind = action.startsWith("circuit.") && state !== null ? "circuit" : "flag";
  const at = new Date(seconds * 1000).toISOString();
  return { id, at, kind, action, actor: "Aerobat", sentence: action, state, percentage };
}
const closed = { state: "closed", percentage: 100, sinceMs: null } as const;

describe("bands", () => {
  const trip = [
    mark(40, "circuit.closed", "closed", 100),
    mark(35, "circuit.step", "recovering", 20),
    mark(30, "circuit.recovering", "recovering", 10),
    mark(10, "circuit.opened", "open", 0),
  ];

  it("are the time open, and each recovery step", () => {
    expect(bandsOf(trip, { ...closed, sinceMs: 40_000 }, 0, 60_000)).toEqual([
      { state: "open", percentage: 0, fromMs: 10_000, toMs: 30_000 },
      { state: "recovering", percentage: 10, fromMs: 30_000, toMs: 35_000 },
      { state: "recovering", percentage: 20, fromMs: 35_000, toMs: 40_000 },
    ]);
  });

  it("reach into the time that is shown, as far as the first transition tells", () => {
    expect(bandsOf(trip.slice(0, 2), null, 32_000, 60_000)).toEqual([
      { state: "recovering", percentage: null, fromMs: 32_000, toMs: 35_000 },
      { state: "recovering", percentage: 20, fromMs: 35_000, toMs: 40_000 },
    ]);
  });

  it("reach up to now, where the circuit is open", () => {
    expect(bandsOf([], { state: "open", percentage: 0, sinceMs: 5_000 }, 20_000, 60_000)).toEqual([
      { state: "open", percentage: 0, fromMs: 20_000, toMs: 60_000 },
    ]);
  });

  it("know the present state before the log has its entry", () => {
    const present = { state: "open", percentage: 0, sinceMs: 50_000 } as const;
    expect(bandsOf(trip, present, 45_000, 60_000)).toEqual([
      { state: "open", percentage: 0, fromMs: 50_000, toMs: 60_000 },
    ]);
  });

  it("say nothing of a time before all that is known", () => {
    expect(bandsOf([], { state: "open", percentage: 0, sinceMs: 90_000 }, 0, 60_000)).toEqual([]);
  });

  it("end where a person has reset the circuit", () => {
    const marks = [mark(20, "circuit.reset"), mark(10, "circuit.opened", "open", 0)];
    expect(bandsOf(marks, closed, 0, 60_000)).toEqual([{ state: "open", percentage: 0, fromMs: 10_000, toMs: 20_000 }]);
  });

  it("are not moved by a circuit that calms down, or by a change of the flag", () => {
    expect(stateAfter(mark(1, "circuit.calm", "closed", 100))).toBeNull();
    expect(stateAfter(mark(1, "flag.changed"))).toBeNull();
  });
});

describe("a recovery with short steps", () => {
  const steps: Band[] = [
    { state: "open", percentage: 0, fromMs: 0, toMs: 10 },
    { state: "recovering", percentage: 10, fromMs: 10, toMs: 15 },
    { state: "recovering", percentage: 20, fromMs: 15, toMs: 20 },
    { state: "open", percentage: 0, fromMs: 20, toMs: 30 },
  ];

  it("is one stretch", () => {
    expect(recoveriesOf(steps, 6)).toEqual([
      steps[0],
      { state: "recovering", percentage: null, fromMs: 10, toMs: 20 },
      steps[3],
    ]);
  });

  it("has its steps where they can be read", () => {
    expect(recoveriesOf(steps, 5)).toEqual(steps);
  });
});

describe("marks", () => {
  it("are put together where they are too near to each other", () => {
    const clusters = clustersOf([mark(21, "b"), mark(20, "a"), mark(40, "c")], 5_000);
    expect(clusters.map(({ marks }) => marks.map(({ action }) => action))).toEqual([["a", "b"], ["c"]]);
  });

  it("stand at the graph, but for single steps", () => {
    expect(isShown(mark(1, "circuit.step", "recovering", 20))).toBe(false);
    expect(isShown(mark(1, "flag.changed"))).toBe(true);
  });
});
