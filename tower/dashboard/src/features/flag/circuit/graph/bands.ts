import type { Schemas } from "@/api/client";

export type Mark = Schemas["MarkOut"];
export type CircuitState = Schemas["CircuitStateOut"]["state"];

/** A stretch of time in which the circuit kept users away. */
export interface Band {
  state: "open" | "recovering";
  fromMs: number;
  toMs: number;
  /** Percent of the rollout in this recovery step; null where it began before what is known. */
  percentage: number | null;
}

export interface Present {
  state: CircuitState;
  percentage: number;
  /** When this state, or this recovery step, began; null where it has never moved. */
  sinceMs: number | null;
}

interface Moved {
  atMs: number;
  state: CircuitState;
  percentage: number | null;
}

/** What a circuit was before a transition, where its name says so. */
const BEFORE: Readonly<Record<string, CircuitState>> = {
  "circuit.reopened": "recovering",
  "circuit.recovering": "open",
  "circuit.step": "recovering",
  "circuit.closed": "recovering",
};

/** How the circuit was between two times, out of the marks in between and of what it is now. */
export function bandsOf(marks: readonly Mark[], present: Present | null, fromMs: number, toMs: number): Band[] {
  const moves: Moved[] = marks
    .flatMap((mark) => {
      const state = stateAfter(mark);
      return state === null ? [] : [{ atMs: Date.parse(mark.at), state, percentage: mark.percentage }];
    })
    .sort((one, other) => one.atMs - other.atMs);
  if (present !== null) {
    const sinceMs = present.sinceMs ?? Number.NEGATIVE_INFINITY;
    // The state is told before the log's entry of it arrives; a calm circuit keeps the time of its closing.
    if (sinceMs > (moves.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) || moves.length === 0) {
      if (sinceMs < toMs) moves.push({ atMs: sinceMs, state: present.state, percentage: present.percentage });
    }
  }
  const first = moves[0];
  const earliest = oldest(marks.filter((mark) => stateAfter(mark) !== null));
  const before = earliest === null ? null : BEFORE[earliest.action];
  if (first !== undefined && first.atMs > fromMs && before !== undefined && before !== null) {
    moves.unshift({ atMs: fromMs, state: before, percentage: null });
  }
  const bands: Band[] = [];
  moves.forEach(({ atMs, state, percentage }, place) => {
    const band = { fromMs: Math.max(atMs, fromMs), toMs: Math.min(moves[place + 1]?.atMs ?? toMs, toMs) };
    if (state === "closed" || band.toMs <= band.fromMs) return;
    bands.push({ state, percentage: state === "open" ? 0 : percentage, ...band });
  });
  return bands;
}

/** A circuit's state after what a mark tells of; null where it tells nothing of it. */
export function stateAfter(mark: Mark): CircuitState | null {
  // A person's reset is an entry about the flag, without a state.
  if (mark.action === "circuit.reset") return "closed";
  if (mark.kind !== "circuit" || mark.action === "circuit.calm") return null;
  return mark.state === "closed" || mark.state === "open" || mark.state === "recovering" ? mark.state : null;
}

function oldest(marks: readonly Mark[]): Mark | null {
  return marks.reduce<Mark | null>(
    (first, mark) => (first === null || Date.parse(mark.at) < Date.parse(first.at) ? mark : first),
    null,
  );
}

/** Several marks that lie too near to each other to be told apart in the graph. */
export interface Cluster {
  atMs: number;
  marks: Mark[];
}

/** Whether a mark stands at the graph: all but single recovery steps, which the bands show, and what changes no state. */
export function isShown(mark: Mark): boolean {
  return mark.action !== "circuit.step" && mark.action !== "circuit.calm";
}

/** Put marks together that are nearer than `nearMs`; the earliest says where the group stands. */
export function clustersOf(marks: readonly Mark[], nearMs: number): Cluster[] {
  const clusters: Cluster[] = [];
  const inOrder = [...marks].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  for (const mark of inOrder) {
    const atMs = Date.parse(mark.at);
    const last = clusters.at(-1);
    if (last !== undefined && atMs - last.atMs < nearMs) last.marks.push(mark);
    else clusters.push({ atMs, marks: [mark] });
  }
  return clusters;
}

/** Show a recovery as one stretch without a percentage where any of its steps would be shorter than `leastMs`. */
export function recoveriesOf(bands: readonly Band[], leastMs: number): Band[] {
  const groups: Band[][] = [];
  for (const band of bands) {
    const last = groups.at(-1)?.at(-1);
    const follows = last?.state === "recovering" && band.state === "recovering" && last.toMs === band.fromMs;
    if (follows) groups.at(-1)?.push(band);
    else groups.push([band]);
  }
  return groups.flatMap((steps) => {
    const [first] = steps;
    const last = steps.at(-1);
    if (first === undefined || last === undefined || first.state === "open") return steps;
    // The last step is still growing, or was cut short by a breach.
    const short = steps.slice(0, -1).some(({ fromMs, toMs }) => toMs - fromMs < leastMs);
    return short ? [{ state: "recovering", percentage: null, fromMs: first.fromMs, toMs: last.toMs }] : steps;
  });
}
