/** Whether the palette is wanted; its own code is read once somebody opens it. */
let asked = 0;
const watchers = new Set<() => void>();

/** Show the palette. */
export function openPalette(): void {
  asked += 1;
  for (const watcher of watchers) watcher();
}

export const palette = {
  watch: (watcher: () => void): (() => void) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  },
  /** How often it was asked for; 0: it need not be there. */
  asked: (): number => asked,
};
