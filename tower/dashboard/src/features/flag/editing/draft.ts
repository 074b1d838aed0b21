import type { Schemas } from "@/api/client";
import type { Flag, FlagChange } from "@/features/flags/api";

/** The fields of a flag that the form edits; what the server adds (version, state, times) is not among them. */
export const EDITED = [
  "name",
  "description",
  "tags",
  "owner",
  "lifetime",
  "expected_end",
  "active",
  "type",
  "variants",
  "off_variant",
  "split",
  "bucket_by",
  "requires",
  "metadata",
  "rollout",
  "allow",
  "deny",
  "rules",
  "circuit",
  "salt",
] as const;

export type Draft = Pick<Flag, (typeof EDITED)[number]>;
export type Circuit = Schemas["CircuitOut"];

/** Return the editable part of a flag. */
export function draftOf(flag: Flag): Draft {
  return Object.fromEntries(EDITED.map((field) => [field, flag[field]])) as Draft;
}

/** Whether two values of JSON are the same; the order of an object's members does not count. */
export function same(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => name in other && same(one[name as keyof typeof one], other[name as keyof typeof other]))
  );
}

export type Field = (typeof EDITED)[number];

/** A circuit's settings without what only Tower changes: its generation rises with each reset. */
function settingsOf(circuit: Circuit | null): Omit<Circuit, "reset_generation"> | null {
  if (circuit === null) return null;
  const { reset_generation: _, ...settings } = circuit;
  return settings;
}

/** Which fields differ. */
export function differing(before: Draft, after: Draft): Field[] {
  return EDITED.filter((field) =>
    field === "circuit"
      ? !same(settingsOf(before.circuit), settingsOf(after.circuit))
      : !same(before[field], after[field]),
  );
}

/** What a PATCH sends to make `before` into `after`: only what differs, inside the circuit too. */
export function patchOf(before: Draft, after: Draft): FlagChange {
  const changed = Object.fromEntries(differing(before, after).map((field) => [field, after[field]]));
  const [was, is] = [settingsOf(before.circuit), settingsOf(after.circuit)];
  if ("circuit" in changed && is !== null) {
    changed.circuit =
      was === null
        ? is
        : Object.fromEntries(Object.entries(is).filter(([name, value]) => !same(value, was[name as keyof typeof was])));
  }
  // Without a name, a flag is called by its key.
  if (changed.name === "") changed.name = null;
  return changed as FlagChange;
}
