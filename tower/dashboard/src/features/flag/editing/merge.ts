import { type Draft, EDITED, same } from "./draft";

/** A place that two people changed differently since it was read: by names of members, `["circuit", "window_ms"]`. */
export interface Collision {
  path: readonly string[];
  was: unknown;
  theirs: unknown;
  mine: unknown;
}

export interface Merged {
  /** Both people's changes; at collisions mine. */
  draft: Draft;
  collisions: Collision[];
}

type Members = Record<string, unknown>;

/** Lists without an order: what each side added and removed goes together. */
const SETS = new Set(["allow", "deny", "tags"]);
/** Objects whose members are settings of their own. */
const TAKEN_APART = new Set(["circuit", "circuit.recovery", "circuit.local_guard", "metadata"]);

/** Put two people's changes of one flag together, field by field. Where only one of them changed something, it counts. */
export function merged(base: Draft, theirs: Draft, mine: Draft): Merged {
  const collisions: Collision[] = [];
  const fields = EDITED.map((field) => [
    field,
    mergedValue([field], { was: base[field], theirs: theirs[field], mine: mine[field] }, collisions),
  ]);
  return { draft: Object.fromEntries(fields) as Draft, collisions };
}

type Three = Omit<Collision, "path">;

function mergedValue(path: readonly string[], three: Three, collisions: Collision[]): unknown {
  const { was, theirs, mine } = three;
  if (same(theirs, mine) || same(was, theirs)) return mine;
  if (same(was, mine)) return theirs;
  const place = path.join(".");
  if (SETS.has(place)) return mergedSet(was as string[], theirs as string[], mine as string[]);
  // Generations only rise, and only Tower raises them.
  if (path.at(-1) === "reset_generation") return theirs;
  if (TAKEN_APART.has(place) && isObject(was) && isObject(theirs) && isObject(mine)) {
    return mergedMembers(path, was, theirs, mine, collisions);
  }
  collisions.push({ path, ...three });
  return mine;
}

function mergedMembers(
  path: readonly string[],
  was: Members,
  theirs: Members,
  mine: Members,
  collisions: Collision[],
): Members {
  const members: Members = {};
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const three = { was: was[name], theirs: theirs[name], mine: mine[name] };
    const value = mergedValue([...path, name], three, collisions);
    if (value !== undefined) members[name] = value;
  }
  return members;
}

function mergedSet(was: string[], theirs: string[], mine: string[]): string[] {
  const [before, kept, there] = [new Set(was), new Set(mine), new Set(theirs)];
  return [
    ...theirs.filter((item) => kept.has(item) || !before.has(item)),
    ...mine.filter((item) => !before.has(item) && !there.has(item)),
  ];
}

function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export type Choice = "theirs" | "mine";

/** The draft that comes of choosing at each collision; `choices` are by `path.join(".")`, mine where nothing was chosen. */
export function chosen({ draft, collisions }: Merged, choices: Readonly<Record<string, Choice>>): Draft {
  return collisions
    .filter(({ path }) => choices[path.join(".")] === "theirs")
    .reduce((now, { path, theirs }) => withValue(now, path, theirs) as Draft, draft);
}

function withValue(container: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  const { [name]: inner, ...others } = container as Members;
  const next = withValue(inner, rest, value);
  return next === undefined ? others : { ...others, [name]: next };
}
