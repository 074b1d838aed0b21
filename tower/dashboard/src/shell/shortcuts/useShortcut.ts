import { useEffect } from "react";
import { type ShortcutId, ShortcutMatcher } from "./table";

type Handler = () => void;

/** Who does what a shortcut asks for: the one that came last, so that a page goes before the shell. */
const handlers = new Map<ShortcutId, Handler[]>();

/** Do `handler` when the shortcut is pressed, as long as the component is there and `enabled`. */
export function useShortcut(id: ShortcutId, handler: Handler, enabled = true): void {
  useEffect(() => {
    if (!enabled) return;
    handlers.set(id, [...(handlers.get(id) ?? []), handler]);
    return () => {
      handlers.set(
        id,
        (handlers.get(id) ?? []).filter((each) => each !== handler),
      );
    };
  }, [id, handler, enabled]);
}

const FIELDS = "input, textarea, select, [contenteditable='true'], [role='textbox'], [role='combobox']";
/** Kinds of `input` that no key is text for. */
const NO_TEXT = new Set(["button", "checkbox", "radio", "range", "submit", "reset", "file", "color"]);

function isTyping(target: EventTarget | null): boolean {
  const field = target instanceof Element ? target.closest(FIELDS) : null;
  return field !== null && !(field instanceof HTMLInputElement && NO_TEXT.has(field.type));
}

/** Listen to the keys of the whole page; the shell does it, once. */
export function useShortcutKeys(): void {
  useEffect(() => {
    const matcher = new ShortcutMatcher();
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || ["Shift", "Control", "Meta", "Alt"].includes(event.key))
        return;
      // A dialogue has the keys for itself.
      if (document.querySelector("[aria-modal='true'], [role='dialog']") !== null) return;
      const id = matcher.press(
        {
          key: event.key,
          mod: event.ctrlKey || event.metaKey,
          alt: event.altKey,
          typing: isTyping(event.target),
        },
        performance.now(),
      );
      const handler = id === null ? undefined : handlers.get(id)?.at(-1);
      if (handler === undefined) return;
      event.preventDefault();
      handler();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}
