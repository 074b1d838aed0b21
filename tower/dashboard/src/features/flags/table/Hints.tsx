import { Tooltip } from "@mantine/core";
import { type RefObject, useEffect, useState } from "react";

/**
 * One tooltip for everything with `data-hint` in `within`: a tooltip for each cell of hundreds of rows would be most of
 * the work of scrolling.
 */
export function Hints({ within }: { within: RefObject<HTMLElement | null> }) {
  const [target, setTarget] = useState<HTMLElement | null>(null);
  useEffect(() => {
    const root = within.current;
    if (root === null) return;
    const show = (event: Event) => {
      const at = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-hint]") : null;
      setTarget(at);
    };
    const hide = () => setTarget(null);
    root.addEventListener("pointerover", show);
    root.addEventListener("focusin", show);
    root.addEventListener("pointerleave", hide);
    root.addEventListener("focusout", hide);
    window.addEventListener("scroll", hide, { passive: true });
    return () => {
      root.removeEventListener("pointerover", show);
      root.removeEventListener("focusin", show);
      root.removeEventListener("pointerleave", hide);
      root.removeEventListener("focusout", hide);
      window.removeEventListener("scroll", hide);
    };
  }, [within]);
  if (target === null) return null;
  return <Tooltip key={target.dataset.hint} target={target} opened label={target.dataset.hint} multiline maw={320} />;
}
