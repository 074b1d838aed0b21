import { counted } from "@/components/numbers";

/** Longer keys are refused by Tower. */
export const LONGEST_KEY = 500;

/**
 * Read a pasted list: keys between line breaks, commas, tabs or semicolons, trimmed. What stands in quotes may have
 * these inside, and a doubled quote is a quote, as spreadsheets write it.
 */
export function keysIn(text: string): string[] {
  const keys: string[] = [];
  // Either a quoted text, or whatever goes up to the next separator.
  const items = /[ \u00a0]*"((?:[^"]|"")*)"[ \u00a0]*(?=[\n\r,\t;]|$)|[^\n\r,\t;]+/g;
  for (const [whole, quoted] of text.matchAll(items)) {
    const key = quoted === undefined ? whole.trim() : quoted.replaceAll('""', '"').trim();
    if (key !== "") keys.push(key);
  }
  return keys;
}

export interface Added {
  /** The list with what is new behind it. */
  list: string[];
  added: string[];
  /** How many were in the list before. */
  already: number;
  /** How many stood more than once in what was pasted. */
  repeated: number;
  /** Those that are too long to be a key. */
  tooLong: string[];
}

/** Add keys to a list that has each only once. */
export function withKeys(list: readonly string[], keys: readonly string[]): Added {
  const there = new Set(list);
  const fresh = new Set<string>();
  const tooLong: string[] = [];
  let already = 0;
  let repeated = 0;
  for (const key of keys) {
    if (there.has(key)) already += 1;
    else if (fresh.has(key)) repeated += 1;
    else if (key.length > LONGEST_KEY) tooLong.push(key);
    else fresh.add(key);
  }
  const added = [...fresh];
  return { list: [...list, ...added], added, already, repeated, tooLong };
}

/** `312 added, 4 were there already` */
export function addedInWords({ added, already, repeated, tooLong }: Added, noun = "key"): string {
  const parts = [added.length === 0 ? "None added" : `${counted(added.length, noun)} added`];
  if (already > 0) parts.push(`${counted(already, noun)} ${already === 1 ? "was" : "were"} there already`);
  if (repeated > 0) parts.push(`${counted(repeated, `repeated ${noun}`)} left out`);
  if (tooLong.length > 0) parts.push(`${counted(tooLong.length, noun)} longer than ${LONGEST_KEY} characters left out`);
  return `${parts.join(", ")}.`;
}

/** Those that are in both lists, for a warning: deny wins. */
export function inBoth(allow: readonly string[], deny: readonly string[]): string[] {
  const denied = new Set(deny);
  return allow.filter((key) => denied.has(key));
}
