import { Tooltip } from "@mantine/core";
import { type RefObject, useEffect, useState } from "react";

/** As of all tooltips, in `theme.ts`. */
const DELAY_MS = 300;

/**
 * One tooltip for everything with `data-hint` in `within`: a tooltip for each cell of hundreds of rows would be most of
 * the work of scrolling.
 */
export function Hints({ within }: { within: RefObject<HTMLElement | null> }) {
  const [target, setTarget] = useState<HTMLElement | null>(null);
  useEffect(() => {
    const root = within.current;
    if (root === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = (event: Event) => {
      const at = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-hint]") : null;
      clearTimeout(timer);
      setTarget((shown) => (shown === at ? shown : null));
      if (at !== null) timer = setTimeout(() => setTarget(at), DELAY_MS);
    };
    const hide = () => {
      clearTimeout(timer);
      setTarget(null);
    };
    root.addEventListener("pointerover", show);
    root.addEventListener("focusin", show);
    root.addEventListener("pointerleave", hide);
    root.addEventListener("focusout", hide);
    window.addEventListener("scroll", hide, { passive: true });
    return () => {
      clearTimeout(timer);
      root.removeEventListener("pointerover", show);
      root.removeEventListener("focusin", show);
      root.removeEventListener("pointerleave", hide);
      root.removeEventListener("focusout", hide);
      window.removeEventListener("scroll", hide);
    };
  }, [within]);
  if (target === null) return null;
  return (
    <Tooltip
      key={target.dataset.hint}
      target={target}
      opened
      label={target.dataset.hint}
      position="bottom-start"
      multiline
      maw={320}
    />
  );
}
