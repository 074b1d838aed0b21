import type { Schemas } from "@/api/client";
import { counted } from "@/components/numbers";
import { same } from "@/features/flag/editing/draft";
import { conditionsInWords } from "@/features/flag/targeting/rules/words";

type Segment = Schemas["SegmentOut"];

const EDITED = ["description", "include", "exclude", "when"] as const;
export type SegmentDraft = Pick<Segment, (typeof EDITED)[number]>;
export type SegmentField = keyof SegmentDraft;

export function draftOf({ description, include, exclude, when }: SegmentDraft): SegmentDraft {
  return { description, include, exclude, when };
}

export const EMPTY: SegmentDraft = { description: "", include: [], exclude: [], when: [] };

/** Which fields differ. */
export function differing(before: SegmentDraft, after: SegmentDraft): SegmentField[] {
  return EDITED.filter((field) => !same(before[field], after[field]));
}

/** Who is in a list and was not, and the other way round. */
export function membersChanged(
  before: readonly string[],
  after: readonly string[],
): { add: string[]; remove: string[] } {
  const [old, now] = [new Set(before), new Set(after)];
  return { add: after.filter((key) => !old.has(key)), remove: before.filter((key) => !now.has(key)) };
}

/**
 * What is sent to make one draft into another. Where only one list changes these are its single members, so that a list
 * of thousands is not sent for a few; else all fields that differ go in one request, so that all or none are saved.
 */
export function requestOf(
  before: SegmentDraft,
  after: SegmentDraft,
): Schemas["SegmentMembers"] | Schemas["SegmentChange"] {
  const fields = differing(before, after);
  const [only] = fields;
  if (fields.length === 1 && (only === "include" || only === "exclude")) {
    return { list: only, ...membersChanged(before[only], after[only]) };
  }
  return Object.fromEntries(fields.map((field) => [field, after[field]]));
}

const LISTS = { include: "the members", exclude: "those excluded" } as const;

/** What would change, in words. */
export function changesInWords(before: SegmentDraft, after: SegmentDraft): string[] {
  return differing(before, after).flatMap((field) => fieldInWords(field, before, after));
}

export function fieldInWords(field: SegmentField, before: SegmentDraft, after: SegmentDraft): string[] {
  if (field === "description")
    return [after.description === "" ? "description removed" : `description “${after.description}”`];
  if (field === "when")
    return [after.when.length === 0 ? "no conditions" : `conditions: ${conditionsInWords(after.when)}`];
  const { add, remove } = membersChanged(before[field], after[field]);
  const said: string[] = [];
  if (add.length > 0) said.push(`${counted(add.length, "key")} added to ${LISTS[field]}`);
  if (remove.length > 0) said.push(`${counted(remove.length, "key")} removed from ${LISTS[field]}`);
  return said;
}

/** Which fields both have changed, so that one of the two has to be chosen. Lists go together: members are added and removed. */
export function contested(base: SegmentDraft, mine: SegmentDraft, theirs: SegmentDraft): SegmentField[] {
  return differing(base, mine).filter(
    (field) =>
      field !== "include" &&
      field !== "exclude" &&
      !same(base[field], theirs[field]) &&
      !same(mine[field], theirs[field]),
  );
}

/** Put one's own changes on top of what somebody else has made of the segment; `theirs` is taken for the fields in `yielded`. */
export function merged(
  base: SegmentDraft,
  mine: SegmentDraft,
  theirs: SegmentDraft,
  yielded: ReadonlySet<SegmentField>,
): SegmentDraft {
  const list = (field: "include" | "exclude") => {
    const { add, remove } = membersChanged(base[field], mine[field]);
    const gone = new Set(remove);
    const kept = theirs[field].filter((key) => !gone.has(key));
    const there = new Set(kept);
    return [...kept, ...add.filter((key) => !there.has(key))];
  };
  const one = <F extends "description" | "when">(field: F): SegmentDraft[F] =>
    same(base[field], mine[field]) || yielded.has(field) ? theirs[field] : mine[field];
  return { description: one("description"), when: one("when"), include: list("include"), exclude: list("exclude") };
}

/** Who is in a segment, as a sentence. */
export function segmentInWords({ include, exclude, when }: Pick<SegmentDraft, "include" | "exclude" | "when">): string {
  return whoInWords(include.length, exclude.length, when.length === 0 ? null : conditionsInWords(when));
}

export function whoInWords(included: number, excluded: number, conditions: string | null): string {
  const listed = included === 0 ? null : counted(included, "listed user");
  const matching = conditions === null ? null : `users for whom ${conditions}`;
  if (listed === null && matching === null) return "Nobody is in it yet.";
  const who = [listed, matching].filter((each) => each !== null).join(", and ");
  const except = excluded === 0 ? "" : `, except ${counted(excluded, "user")}`;
  return `${who.charAt(0).toUpperCase()}${who.slice(1)}${except}.`;
}
