import { ActionIcon, Button, CopyButton, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconCopy, IconPlus, IconSearch, IconX } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useId, useMemo, useRef, useState } from "react";
import { count, counted } from "@/components/numbers";
import styles from "../targeting.module.css";
import { KeysField } from "./KeysField";
import { addedInWords, keysIn, withKeys } from "./pasted";

/** A finger needs more than a mouse. */
const ROW_PX = { fine: 32, coarse: 40 };
const SEARCHED_FROM = 8;

/** A list of keys: paste many, search, remove, copy all. Only what is seen is drawn, so thousands stay smooth. */
export function KeyList({
  name,
  keys,
  change,
  readOnly,
  problem,
  noun = "key",
}: {
  /** What the list is called in the names of its controls: `allow list`. */
  name: string;
  keys: readonly string[];
  change: (keys: string[]) => void;
  readOnly: boolean;
  problem?: string | null;
  noun?: string;
}) {
  const [adding, setAdding] = useState(false);
  const [wanted, setWanted] = useState("");
  const [said, setSaid] = useState("");
  const shown = useMemo(() => {
    const text = wanted.trim().toLowerCase();
    return text === "" ? keys : keys.filter((key) => key.toLowerCase().includes(text));
  }, [keys, wanted]);
  const remove = (key: string) => {
    change(keys.filter((each) => each !== key));
    setSaid(`${key} removed.`);
  };
  return (
    <Stack gap={8} className={styles.touch}>
      <Group gap={8} mih={30}>
        <Text size="sm" fw={500}>
          {keys.length === 0 ? `No ${noun}s` : counted(keys.length, noun)}
        </Text>
        {keys.length > 0 && (
          <CopyButton value={keys.join("\n")} timeout={1500}>
            {({ copied, copy }) => (
              <Button
                size="compact-sm"
                variant="subtle"
                color="gray"
                leftSection={<IconCopy size={14} />}
                onClick={copy}
                aria-label={`Copy all of the ${name}`}
              >
                {copied ? "Copied" : "Copy all"}
              </Button>
            )}
          </CopyButton>
        )}
        {!readOnly && !adding && (
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconPlus size={14} />}
            onClick={() => setAdding(true)}
            aria-label={`Add to the ${name}`}
          >
            Add
          </Button>
        )}
        {keys.length >= SEARCHED_FROM && (
          <TextInput
            size="xs"
            ml="auto"
            leftSection={<IconSearch size={14} />}
            placeholder="Search"
            aria-label={`Search the ${name}`}
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
          />
        )}
      </Group>
      {adding && (
        <AddKeys
          name={name}
          add={(pasted) => {
            const added = withKeys(keys, pasted);
            if (added.added.length > 0) change(added.list);
            setSaid(addedInWords(added));
            setAdding(false);
          }}
          close={() => setAdding(false)}
        />
      )}
      <Text size="sm" c="var(--quiet)" role="status" hidden={said === ""}>
        {said}
      </Text>
      {problem != null && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert">
          {problem}
        </Text>
      )}
      {keys.length > 0 && <Rows name={name} keys={shown} remove={readOnly ? null : remove} />}
      {keys.length > 0 && shown.length < keys.length && (
        <Text size="xs" c="var(--quiet)">
          {count(shown.length)} of {count(keys.length)} shown
        </Text>
      )}
    </Stack>
  );
}

function AddKeys({ name, add, close }: { name: string; add: (keys: string[]) => void; close: () => void }) {
  const [text, setText] = useState("");
  const hint = useId();
  const keys = useMemo(() => keysIn(text), [text]);
  const submit = () => add(keys);
  return (
    <Stack gap={8}>
      <KeysField
        rows={4}
        ref={(field) => field?.focus({ preventScroll: true })}
        aria-label={`Keys for the ${name}`}
        aria-describedby={hint}
        placeholder="One key, or many from a spreadsheet or a file"
        value={text}
        write={setText}
        onKeyDown={(event) => {
          if (event.key === "Escape") close();
          if (event.key === "Enter" && !event.shiftKey && (event.ctrlKey || event.metaKey || !text.includes("\n"))) {
            event.preventDefault();
            submit();
          }
        }}
      />
      <Group gap={8}>
        <Button size="compact-sm" onClick={submit} disabled={keys.length === 0}>
          {keys.length === 0 ? "Add" : `Add ${counted(keys.length, "key")}`}
        </Button>
        <Button size="compact-sm" variant="default" onClick={close}>
          Cancel
        </Button>
        <Text id={hint} size="xs" c="var(--quiet)">
          Line breaks, commas, tabs and semicolons separate keys; quotes keep them together.
        </Text>
      </Group>
    </Stack>
  );
}

function Rows({
  name,
  keys,
  remove,
}: {
  name: string;
  keys: readonly string[];
  remove: ((key: string) => void) | null;
}) {
  const box = useRef<HTMLDivElement>(null);
  const rowPx = useMediaQuery("(pointer: coarse)", false, { getInitialValueInEffect: false })
    ? ROW_PX.coarse
    : ROW_PX.fine;
  const rows = useVirtualizer({
    count: keys.length,
    getScrollElement: () => box.current,
    estimateSize: () => rowPx,
    overscan: 8,
  });
  return (
    <section
      ref={box}
      className={styles.keys}
      style={{ height: Math.min(keys.length, 6) * rowPx + 2 }}
      aria-label={`Entries of the ${name}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
      tabIndex={0}
    >
      <div style={{ position: "relative", height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map(({ index, start }) => {
          const key = keys[index] ?? "";
          return (
            <div key={key} className={styles.key} style={{ height: rowPx, transform: `translateY(${start}px)` }}>
              <span title={key}>{key}</span>
              {remove !== null && (
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  onClick={() => remove(key)}
                  aria-label={`Remove ${key} from the ${name}`}
                >
                  <IconX size={14} />
                </ActionIcon>
              )}
            </div>
          );
        })}
      </div>
    </section>
  );
}
