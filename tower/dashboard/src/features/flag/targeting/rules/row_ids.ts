import { useRef } from "react";

/** Ids of rows that have none of their own, kept while rows are moved: so fields keep the cursor, and rows their state. */
export function useRowIds(length: number) {
  const state = useRef<{ ids: number[]; next: number }>({ ids: [], next: 0 });
  const { ids } = state.current;
  while (ids.length < length) ids.push(state.current.next++);
  // Rows that somebody else took away: which ones is not known, so the last go.
  ids.length = length;
  return {
    at: (place: number): number => ids[place] ?? place,
    removed: (place: number) => void ids.splice(place, 1),
    inserted: (place: number): number => {
      const id = state.current.next++;
      ids.splice(place, 0, id);
      return id;
    },
    moved: (from: number, to: number) => {
      const [id] = ids.splice(from, 1);
      if (id !== undefined) ids.splice(to, 0, id);
    },
  };
}
