import { NativeSelect, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { same } from "@/features/flag/editing/draft";
import { readValue, type ValueType, written } from "./variants";

/** The value of a variant, edited as its type wants it. What cannot be read is said at once, and refused when saved. */
export function ValueField({
  variant,
  type,
  value,
  change,
  problem,
}: {
  variant: string;
  type: ValueType;
  value: unknown;
  change: (value: unknown) => void;
  problem: string | null;
}) {
  const [text, setText] = useState(() => written(value, type));
  // Somebody else's change, or a draft that was thrown away; not what is being written here.
  const [before, setBefore] = useState(value);
  if (before !== value) {
    setBefore(value);
    if (!same(readValue(text, type).value, value)) setText(written(value, type));
  }
  const label = `Value of ${variant}`;
  if (type === "boolean") {
    return (
      <NativeSelect
        aria-label={label}
        data={["true", "false"]}
        value={String(value)}
        onChange={(event) => change(event.currentTarget.value === "true")}
        error={problem}
      />
    );
  }
  const read = readValue(text, type);
  const write = (next: string) => {
    setText(next);
    change(readValue(next, type).value);
  };
  const error = read.problem ?? problem;
  if (type === "object") {
    return (
      <Textarea
        aria-label={label}
        autosize
        minRows={1}
        maxRows={12}
        spellCheck={false}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
        value={text}
        onChange={(event) => write(event.currentTarget.value)}
        error={error}
      />
    );
  }
  return (
    <TextInput
      aria-label={label}
      inputMode={type === "number" ? "decimal" : undefined}
      value={text}
      onChange={(event) => write(event.currentTarget.value)}
      error={error}
    />
  );
}
