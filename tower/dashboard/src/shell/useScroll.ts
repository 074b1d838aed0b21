import { useEffect, useRef } from "react";
import { useLocation, useNavigationType } from "react-router";
import { pageOf } from "./usePageChange";

/** How long a page that is still being read has to grow until it can be scrolled to where it was. */
const PATIENCE_MS = 3000;

/**
 * A new page begins at its top, and going back leads to where one was. What changes within a page, such as a filter in
 * the address, leaves the scrolling alone.
 */
export function useScroll(): void {
  const { key, pathname, hash } = useLocation();
  const isPop = useNavigationType() === "POP";
  const positions = useRef(new Map<string, number>());
  const last = useRef({ key, page: pageOf(pathname) });
  useEffect(() => {
    const before = last.current;
    last.current = { key, page: pageOf(pathname) };
    const note = () => positions.current.set(key, window.scrollY);
    window.addEventListener("scroll", note, { passive: true });
    const forget = () => window.removeEventListener("scroll", note);
    if (before.key === key || before.page === last.current.page || hash !== "") return forget;
    const wanted = isPop ? (positions.current.get(key) ?? 0) : 0;
    const giveUp = scrollTo(wanted);
    return () => {
      giveUp();
      forget();
    };
  }, [key, pathname, hash, isPop]);
}

/** Scroll to a place, also when the page is not high enough for it yet. Gives a function that ends the trying. */
function scrollTo(wanted: number): () => void {
  window.scrollTo(0, wanted);
  if (window.scrollY >= wanted - 1) return () => undefined;
  const grows = new ResizeObserver(() => {
    window.scrollTo(0, wanted);
    if (window.scrollY >= wanted - 1) stop();
  });
  const timer = setTimeout(() => stop(), PATIENCE_MS);
  function stop() {
    grows.disconnect();
    clearTimeout(timer);
    for (const event of ["wheel", "touchstart", "keydown"]) window.removeEventListener(event, stop);
  }
  for (const event of ["wheel", "touchstart", "keydown"]) window.addEventListener(event, stop, { passive: true });
  grows.observe(document.body);
  return stop;
}
