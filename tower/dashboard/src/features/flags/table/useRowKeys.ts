import type { Virtualizer } from "@tanstack/react-virtual";
import { type RefObject, useCallback, useEffect, useRef } from "react";
import { useShortcut } from "@/shell/shortcuts/useShortcut";
import type { Line } from "./filter";

/** Move between the rows of a table by keys, and press the switch of the row that has the focus. */
export function useRowKeys(
  table: RefObject<HTMLElement | null>,
  lines: readonly Line[],
  virtual: Virtualizer<Window, Element>,
): void {
  /** The row that gets the focus as soon as it is in the page. */
  const wanted = useRef<number | null>(null);

  const focusWanted = useCallback(() => {
    const row = wanted.current === null ? null : rowAt(table.current, wanted.current);
    const link = row?.querySelector<HTMLElement>("[data-open]");
    if (!link) return;
    wanted.current = null;
    link.focus({ preventScroll: true });
  }, [table]);
  // After each rendering: the row may have come with it.
  useEffect(focusWanted);

  const move = useCallback(
    (by: 1 | -1) => {
      const at = focusedIndex(table.current);
      let next = at === null ? (virtual.range?.startIndex ?? 0) : at + by;
      if (lines[next]?.kind === "app") next += by;
      if (lines[next] === undefined || lines[next]?.kind === "app") return;
      wanted.current = next;
      virtual.scrollToIndex(next, { align: "auto" });
      focusWanted();
    },
    [table, lines, virtual, focusWanted],
  );
  useShortcut(
    "next-row",
    useCallback(() => move(1), [move]),
  );
  useShortcut(
    "previous-row",
    useCallback(() => move(-1), [move]),
  );
  useShortcut(
    "toggle-row",
    useCallback(() => {
      const at = focusedIndex(table.current);
      if (at !== null) rowAt(table.current, at)?.querySelector<HTMLElement>("[data-switch]")?.click();
    }, [table]),
  );

  useEffect(() => {
    const element = table.current;
    const press = (event: KeyboardEvent) => {
      // The arrows scroll, unless a row has the focus.
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      if (event.altKey || event.ctrlKey || event.metaKey || focusedIndex(element) === null) return;
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    };
    element?.addEventListener("keydown", press);
    return () => element?.removeEventListener("keydown", press);
  }, [table, move]);
}

function rowAt(table: HTMLElement | null, index: number): HTMLElement | null {
  return table?.querySelector<HTMLElement>(`[data-index="${index}"]`) ?? null;
}

function focusedIndex(table: HTMLElement | null): number | null {
  const row = table?.contains(document.activeElement) ? document.activeElement?.closest("[data-index]") : null;
  return row instanceof HTMLElement ? Number(row.dataset.index) : null;
}
