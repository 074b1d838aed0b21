import type { Schemas } from "@/api/client";

type LogPage = Schemas["LogPage"];
type Entry = Schemas["EntryOut"];

/** What an infinite query holds. */
export interface Pages {
  pages: LogPage[];
  pageParams: unknown[];
}

/**
 * Put what is new in `newest` in front of the pages. Null where nothing is new; "gap" where so much has come that it is
 * not known what lies between.
 */
export function arrivedIn(pages: Pages, newest: LogPage): Pages | "gap" | null {
  const [first, ...rest] = pages.pages;
  if (first === undefined) return null;
  const last = pages.pages.find((page) => page.entries.length > 0)?.entries[0]?.id ?? 0;
  const arrived = newest.entries.filter(({ id }) => id > last);
  if (arrived.length === 0) return null;
  if (arrived.length === newest.entries.length && newest.next !== null) return "gap";
  return { ...pages, pages: [{ ...first, entries: [...arrived, ...first.entries] }, ...rest] };
}

export interface Day {
  /** The day in the reader's zone: `2026-11-29`. */
  key: string;
  atMs: number;
  entries: Entry[];
}

/** Entries by the days on which they happened, in the reader's zone; their order stays. */
export function byDay(entries: readonly Entry[]): Day[] {
  const days: Day[] = [];
  for (const entry of entries) {
    const at = new Date(entry.at);
    const key = `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`;
    const last = days.at(-1);
    // Transitions are dated by when they happened, and may come after entries of the next day.
    if (last !== undefined && (last.key === key || at.getTime() > last.atMs)) last.entries.push(entry);
    else days.push({ key, atMs: at.getTime(), entries: [entry] });
  }
  return days;
}
