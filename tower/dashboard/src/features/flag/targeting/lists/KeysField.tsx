import { Textarea, type TextareaProps } from "@mantine/core";
import type { ClipboardEvent } from "react";

/** From here on a browser takes seconds to put lines into a field one by one. */
const LONG = 5_000;

/**
 * A field for a pasted list of keys. Its height is fixed, and a long text is put into it at once: both would otherwise take
 * seconds with thousands of lines.
 */
export function KeysField({
  value,
  write,
  ...field
}: Omit<TextareaProps, "value" | "onChange" | "onPaste"> & { value: string; write: (text: string) => void }) {
  const paste = (event: ClipboardEvent<HTMLTextAreaElement>) => {
    const pasted = event.clipboardData.getData("text/plain");
    if (pasted.length < LONG) return;
    event.preventDefault();
    const { selectionStart, selectionEnd } = event.currentTarget;
    write(value.slice(0, selectionStart) + pasted + value.slice(selectionEnd));
  };
  return (
    <Textarea
      spellCheck={false}
      {...field}
      value={value}
      onChange={(event) => write(event.currentTarget.value)}
      onPaste={paste}
    />
  );
}
