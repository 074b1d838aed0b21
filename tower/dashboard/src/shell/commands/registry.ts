import { useEffect, useSyncExternalStore } from "react";

/** Something that can be found by its name and done from anywhere. */
export interface Command {
  /** The same command has the same id, on each page and each day: recent ones are known by it. */
  id: string;
  name: string;
  /** Where it is or what it is about, in a few words. */
  hint?: string;
  group: "On this page" | "Flags" | "Apps" | "Pages" | "Actions";
  /** The page that it leads to, or what it does. */
  to?: string;
  run?: () => void;
}

let registered: readonly (readonly Command[])[] = [];
const watchers = new Set<() => void>();

function become(next: readonly (readonly Command[])[]): void {
  registered = next;
  for (const watcher of watchers) watcher();
}

/**
 * Offer commands in the palette as long as the component is there: `Turn off new-checkout`. The list has to be the same
 * one between renderings (useMemo).
 */
export function useCommands(commands: readonly Command[]): void {
  useEffect(() => {
    become([...registered, commands]);
    return () => become(registered.filter((each) => each !== commands));
  }, [commands]);
}

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** What the parts of the page offer now; what came last, first. */
export function useRegistered(): readonly Command[] {
  return useSyncExternalStore(watch, () => registered)
    .toReversed()
    .flat();
}
