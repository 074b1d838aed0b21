import { draftOf, same } from "@/features/flag/editing/draft";
import type { Flag } from "@/features/flags/api";
import type { Change, Path } from "./lines";

/**
 * What has to change to get from one state to another, as the log says it (`tower/tailslide_tower/audit/difference.py`):
 * objects member by member, lists of as many objects item by item, other lists by what they lose and gain.
 */
export function changesBetween(before: Members, after: Members): Change[] {
  return membersBetween([], before, after);
}

/** What rolling a flag back to `then` would change. Fields that the old version did not have get their defaults. */
export function rollbackChanges(now: Flag, then: Readonly<Record<string, unknown>>): Change[] {
  const before: Members = draftOf(now);
  const after: Members = Object.fromEntries(Object.keys(before).map((name) => [name, then[name]]));
  // Resets are counted, and the count stays.
  return changesBetween(before, after).filter(({ path }) => path.join(".") !== "circuit.reset_generation");
}

type Members = Readonly<Record<string, unknown>>;

function membersBetween(path: Path, before: Members, after: Members): Change[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => valuesBetween([...path, name], before[name], after[name]));
}

function valuesBetween(path: Path, before: unknown, after: unknown): Change[] {
  if (same(before, after)) return [];
  if (isObject(before) && isObject(after) && Object.keys(before).length > 0 && Object.keys(after).length > 0) {
    return membersBetween(path, before, after);
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    if (before.length === after.length && [...before, ...after].every(isObject)) {
      return before.flatMap((item, index) => valuesBetween([...path, index], item, after[index]));
    }
    return [listsBetween(path, before, after)];
  }
  return [changeAt(path, before, after)];
}

function listsBetween(path: Path, before: unknown[], after: unknown[]): Change {
  const removed = without(before, after);
  const added = without(after, before);
  // Where the order of what stays is another one as well, both lists say it best.
  const kept = without(before, removed);
  const whole = removed.length + added.length > 0 && same([...kept, ...added], after);
  return whole ? { field: fieldOf(path), path, removed, added } : changeAt(path, before, after);
}

/** The items of `items` that `others` does not have, each as often as it is missing. */
function without(items: unknown[], others: unknown[]): unknown[] {
  const rest = new Map<string, number>();
  for (const other of others) rest.set(keyOf(other), (rest.get(keyOf(other)) ?? 0) + 1);
  return items.filter((item) => {
    const key = keyOf(item);
    const left = rest.get(key) ?? 0;
    if (left > 0) rest.set(key, left - 1);
    return left === 0;
  });
}

function keyOf(value: unknown): string {
  if (!isObject(value)) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** `before` and `after` are missing where there is no such member. */
function changeAt(path: Path, before: unknown, after: unknown): Change {
  return {
    field: fieldOf(path),
    path,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

function fieldOf(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
