import type { Command } from "./registry";

const STORED = "tailslide-recent";
const AT_MOST = 12;

type Recent = Pick<Command, "id" | "name" | "hint" | "group" | "to">;

function isRecent(value: unknown): value is Recent {
  return typeof value === "object" && value !== null && "id" in value && "name" in value && "group" in value;
}

/** What was used last, the newest first. Without storage, nothing is remembered. */
export function recentCommands(): Recent[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return Array.isArray(stored) ? stored.filter(isRecent) : [];
  } catch {
    // Storage may be forbidden, or written by somebody else.
    return [];
  }
}

/** Remember that a command was used. What a page does is only remembered by its id. */
export function remember({ id, name, hint, group, to }: Command): void {
  const rest = recentCommands().filter((each) => each.id !== id);
  try {
    localStorage.setItem(STORED, JSON.stringify([{ id, name, hint, group, to }, ...rest].slice(0, AT_MOST)));
  } catch {
    // Storage may be forbidden or full: then nothing is remembered.
  }
}
