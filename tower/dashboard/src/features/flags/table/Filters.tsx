import { Button, Kbd, NativeSelect, Switch, TextInput } from "@mantine/core";
import { useDebouncedCallback, useDisclosure, useMediaQuery } from "@mantine/hooks";
import { IconAdjustmentsHorizontal, IconSearch } from "@tabler/icons-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useShortcut } from "@/shell/shortcuts/useShortcut";
import { type choicesOf, EVERYTHING, filtersIn, STATE_NAMES, STATES, type View } from "./filter";
import styles from "./table.module.css";

interface FiltersProps {
  view: View;
  onChange: (change: Partial<View>) => void;
  choices: ReturnType<typeof choicesOf>;
  /** Whether the flags are of several apps. */
  apps: boolean;
  found: string;
}

/** What a list of flags shows. The address says the same, so that it can be sent. */
export function Filters({ view, onChange, choices, apps, found }: FiltersProps) {
  const narrow = useMediaQuery("(max-width: 40em)", window.innerWidth <= 640) === true;
  const [open, { toggle }] = useDisclosure(false);
  const set = filtersIn({ ...view, text: "" });
  const selects = (
    <>
      {apps && <Choice label="App" values={choices.apps} value={view.app} onChange={(app) => onChange({ app })} />}
      {apps && choices.environments.length > 0 && (
        <Choice
          label="Environment"
          values={choices.environments}
          value={view.environment}
          onChange={(environment) => onChange({ environment })}
        />
      )}
      <Choice
        label="State"
        values={STATES.map((state) => ({ value: state, label: STATE_NAMES[state] }))}
        value={view.state}
        onChange={(state) => onChange({ state: state as View["state"] })}
      />
      {(choices.tags.length > 0 || view.tag !== null) && (
        <Choice label="Tag" values={choices.tags} value={view.tag} onChange={(tag) => onChange({ tag })} />
      )}
      {(choices.owners.length > 0 || view.owner !== null) && (
        <Choice label="Owner" values={choices.owners} value={view.owner} onChange={(owner) => onChange({ owner })} />
      )}
      {apps && (
        <Switch
          label="Group by app"
          checked={view.grouped}
          onChange={(event) => onChange({ grouped: event.currentTarget.checked })}
        />
      )}
    </>
  );
  return (
    <search className={styles.filters}>
      <SearchField text={view.text} onChange={(text) => onChange({ text })} />
      {narrow ? (
        <>
          <Button
            variant="default"
            h={40}
            leftSection={<IconAdjustmentsHorizontal size={16} />}
            onClick={toggle}
            aria-expanded={open}
          >
            Filters{set > 0 && ` · ${set}`}
          </Button>
          {open && <div className={styles.unfolded}>{selects}</div>}
        </>
      ) : (
        selects
      )}
      {filtersIn(view) > 0 && (
        <Button
          variant="subtle"
          size="compact-sm"
          onClick={() =>
            onChange({ ...EVERYTHING, sort: view.sort, descending: view.descending, grouped: view.grouped })
          }
        >
          Show all
        </Button>
      )}
      <span className={styles.found} role="status">
        {found}
      </span>
    </search>
  );
}

function SearchField({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState(text);
  const later = useDebouncedCallback(onChange, 120);
  // The address may change by itself: back, or a link of the page.
  useEffect(() => setTyped(text), [text]);
  useShortcut(
    "search",
    useCallback(() => field.current?.select(), []),
  );
  return (
    <TextInput
      ref={field}
      type="search"
      aria-label="Search these flags"
      placeholder="Name, key, tag or owner"
      leftSection={<IconSearch size={16} />}
      rightSection={<Kbd size="xs">/</Kbd>}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        later(event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape" && typed === "") field.current?.blur();
      }}
    />
  );
}

/** A filter. The browser's own list is light, and at home on phones. */
function Choice<T extends string>({
  label,
  values,
  value,
  onChange,
}: {
  label: string;
  values: readonly (string | { value: T; label: string })[];
  value: string | null;
  onChange: (value: string | null) => void;
}) {
  const known = values.map((each) => (typeof each === "string" ? { value: each, label: each } : each));
  // A link may ask for what no flag has any more.
  const missing = value !== null && !known.some((each) => each.value === value) ? [{ value, label: value }] : [];
  return (
    <NativeSelect
      aria-label={label}
      className={styles.choice}
      data-set={value !== null || undefined}
      data={[{ value: "", label: `${label}: any` }, ...known, ...missing]}
      value={value ?? ""}
      onChange={({ currentTarget }) => onChange(currentTarget.value === "" ? null : currentTarget.value)}
    />
  );
}
