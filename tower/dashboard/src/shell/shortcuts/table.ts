/**
 * Every shortcut of the dashboard: the help is made of this table, and nothing else listens to single keys. A sequence
 * is two keys after another; `mod` is Ctrl, on a Mac Cmd.
 */
export const SHORTCUTS = {
  commands: { keys: "mod+k", does: "Find a page, a flag or an action", group: "Everywhere" },
  search: { keys: "/", does: "Search", group: "Everywhere" },
  "new-flag": { keys: "c", does: "Make a flag", group: "Everywhere" },
  help: { keys: "?", does: "Show the shortcuts", group: "Everywhere" },
  "go-overview": { keys: "g o", does: "Overview", group: "Go to" },
  "go-flags": { keys: "g f", does: "Flags", group: "Go to" },
  "go-log": { keys: "g l", does: "Log", group: "Go to" },
  "go-alerts": { keys: "g a", does: "Alerts", group: "Go to" },
  "go-sidecars": { keys: "g s", does: "Sidecars", group: "Go to" },
  "go-keys": { keys: "g k", does: "Keys", group: "Go to" },
  "next-row": { keys: "j", does: "Next flag", group: "In a list of flags" },
  "previous-row": { keys: "k", does: "Previous flag", group: "In a list of flags" },
  "toggle-row": { keys: "t", does: "Turn the flag on or off", group: "In a list of flags" },
} as const satisfies Record<string, Shortcut>;

interface Shortcut {
  keys: string;
  does: string;
  group: "Everywhere" | "Go to" | "In a list of flags";
}

export type ShortcutId = keyof typeof SHORTCUTS;

/** Keys that browsers and fields handle by themselves, for the help. */
export const BY_ITSELF: readonly Shortcut[] = [
  { keys: "enter", does: "Open the flag", group: "In a list of flags" },
  { keys: "↓", does: "Next flag, once one has the focus", group: "In a list of flags" },
  { keys: "↑", does: "Previous flag, once one has the focus", group: "In a list of flags" },
];

/** A key that was pressed, as far as shortcuts care. */
export interface Pressed {
  key: string;
  mod: boolean;
  alt: boolean;
  /** Whether a field has the focus, in which the key is text. */
  typing: boolean;
}

/** A second key has to follow within this time. */
const SEQUENCE_MS = 1200;

/** Tells which shortcut was pressed, sequences among them. */
export class ShortcutMatcher {
  private first: { key: string; atMs: number } | null = null;

  /** Return the shortcut that `pressed` completes, or null. */
  press({ key, mod, alt, typing }: Pressed, nowMs: number): ShortcutId | null {
    const name = key.length === 1 ? key.toLowerCase() : key;
    const before = this.first !== null && nowMs - this.first.atMs <= SEQUENCE_MS ? this.first.key : null;
    this.first = null;
    if (alt) return null;
    if (mod) return idWith(`mod+${name}`);
    if (typing) return null;
    if (before !== null) return idWith(`${before} ${name}`);
    const id = idWith(name);
    if (id === null && name.length === 1) this.first = { key: name, atMs: nowMs };
    return id;
  }
}

function idWith(keys: string): ShortcutId | null {
  const found = Object.entries(SHORTCUTS).find(([, shortcut]) => shortcut.keys === keys);
  return found === undefined ? null : (found[0] as ShortcutId);
}

/** A key of a shortcut as keyboards have it, or a word between two keys. */
export interface Written {
  kind: "key" | "word";
  text: string;
}

/** The keys of a shortcut as they are written: `Ctrl` `K`, or `g` then `o`. */
export function written(keys: string, mac: boolean): Written[] {
  return keys
    .split(" ")
    .flatMap((part, place): Written[] => [
      ...(place > 0 ? [{ kind: "word" as const, text: "then" }] : []),
      ...part.split("+").map((key): Written => ({ kind: "key", text: keyName(key, part.includes("+"), mac) })),
    ]);
}

function keyName(key: string, withOthers: boolean, mac: boolean): string {
  if (key === "mod") return mac ? "⌘" : "Ctrl";
  return key.length > 1 || withOthers ? key.charAt(0).toUpperCase() + key.slice(1) : key;
}

export const isMac = (): boolean => /mac|iphone|ipad/i.test(navigator.platform);
