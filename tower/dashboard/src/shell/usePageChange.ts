import { type RefObject, useEffect, useRef } from "react";
import { useLocation } from "react-router";

/**
 * After a change of the page, move the focus to it, so that screen readers and the keyboard go on from its beginning.
 * What changes within a page, such as a tab or a filter in the address, leaves the focus where it is.
 */
export function usePageChange(page: RefObject<HTMLElement | null>): void {
  const { pathname } = useLocation();
  const last = useRef(pathname);
  useEffect(() => {
    const before = last.current;
    last.current = pathname;
    if (pageOf(before) === pageOf(pathname)) return;
    // Somebody who is in a field, or in a window over the page, has chosen to be there.
    const { activeElement } = document;
    if (activeElement?.matches("input, textarea, select, [contenteditable], [role=dialog] *")) return;
    page.current?.focus({ preventScroll: true });
  }, [pathname, page]);
}

/** The part of a path that names the page: the tabs of a flag, and those of the settings, are one page each. */
export function pageOf(pathname: string): string {
  return (
    /^\/apps\/[^/]+\/(?:flags|segments)\/[^/]+/.exec(pathname)?.[0] ??
    /^\/settings(?=\/)/.exec(pathname)?.[0] ??
    pathname
  );
}
