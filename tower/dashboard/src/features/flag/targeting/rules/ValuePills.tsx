import { Pill, PillsInput, Text } from "@mantine/core";
import { useId, useState } from "react";
import { addedInWords, keysIn, withKeys } from "../lists/pasted";

/**
 * Values as pills: Enter or leaving the field takes what is written, pasting takes a whole list. `divided` says whether
 * a comma ends a value; in a regular expression it does not.
 */
export function ValuePills({
  label,
  values,
  change,
  divided,
  example,
  problem,
}: {
  label: string;
  values: readonly string[];
  change: (values: string[]) => void;
  divided: boolean;
  example: string;
  problem: string | null;
}) {
  const [text, setText] = useState("");
  const [said, setSaid] = useState("");
  const status = useId();
  const take = (written: string, aloud: boolean) => {
    const found = divided ? keysIn(written) : [written.trim()].filter((value) => value !== "");
    const added = withKeys(values, found);
    setText("");
    if (added.added.length > 0) change(added.list);
    setSaid(aloud || added.already > 0 ? addedInWords(added, "value") : "");
  };
  return (
    <div>
      <PillsInput error={problem}>
        <Pill.Group>
          {values.map((value) => (
            <Pill
              key={value}
              withRemoveButton
              removeButtonProps={{ "aria-label": `Remove ${value}`, "aria-hidden": false, tabIndex: 0 }}
              onRemove={() => change(values.filter((each) => each !== value))}
            >
              {value === "" ? "(empty)" : value}
            </Pill>
          ))}
          <PillsInput.Field
            aria-label={label}
            aria-describedby={status}
            placeholder={values.length === 0 ? example : undefined}
            value={text}
            onChange={(event) => {
              const written = event.currentTarget.value;
              if (divided && /[,;\t]$/.test(written) && !written.startsWith('"')) take(written, false);
              else setText(written);
            }}
            onBlur={() => take(text, false)}
            onPaste={(event) => {
              const pasted = event.clipboardData.getData("text/plain");
              const many = divided ? keysIn(pasted).length > 1 : /\n/.test(pasted.trim());
              if (!many) return;
              event.preventDefault();
              if (divided) take(pasted, true);
              else {
                const lines = pasted.split(/\r?\n/).map((line) => line.trim());
                const added = withKeys(
                  values,
                  lines.filter((line) => line !== ""),
                );
                change(added.list);
                setSaid(addedInWords(added, "value"));
              }
            }}
            onKeyDown={(event) => {
              if (event.key === "Enter" && !event.nativeEvent.isComposing) {
                event.preventDefault();
                take(text, false);
              }
              if (event.key === "Backspace" && text === "" && values.length > 0) change(values.slice(0, -1));
            }}
          />
        </Pill.Group>
      </PillsInput>
      <Text id={status} size="xs" c="var(--quiet)" role="status">
        {said}
      </Text>
    </div>
  );
}
