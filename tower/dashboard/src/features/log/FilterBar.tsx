import { Autocomplete, Button, Group, Popover, Select, Stack, Switch, TextInput } from "@mantine/core";
import { useDebouncedCallback, useMediaQuery } from "@mantine/hooks";
import { IconCalendar, IconSearch, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { serverClock } from "@/api/clock";
import { useRights } from "@/api/session";
import { localMoment } from "@/components/times";
import { appsQuery } from "@/features/apps/api";
import { countSet, type Filters, NO_FILTERS, type Where } from "./filters";
import { beginOf, fromLocalInput, PERIODS, toLocalInput } from "./periods";
import { ABOUT_PEOPLE, OF_FLAG, SUBJECTS, type Subject, subjectOf } from "./subjects";

interface FilterBarProps {
  where: Where;
  filters: Filters;
  change: (some: Partial<Filters>) => void;
  /** Names of those who stand in the entries that were read, to choose from. */
  actors: readonly string[];
}

/** Which entries are shown. What is chosen stands in the page's address. */
export function FilterBar({ where, filters, change, actors }: FilterBarProps) {
  const { mayAdmin } = useRights();
  const admin = mayAdmin(where.app ?? undefined);
  const subjects = where.flag !== null ? OF_FLAG : admin ? [...SUBJECTS, ...ABOUT_PEOPLE] : SUBJECTS;
  // On a narrow screen the filters would fill it: there they are folded away.
  const narrow = useMediaQuery("(max-width: 40em)");
  const [unfolded, setUnfolded] = useState(false);
  const number = countSet(filters, where);
  const rest = (
    <>
      <SubjectFilter subjects={subjects} filters={filters} set={change} />
      <TypedFilter
        label="By whom"
        placeholder="By anybody"
        value={filters.actor}
        change={(actor) => change({ actor })}
        choices={actors}
        width={180}
      />
      {where.app === null && <AppFilter app={filters.app} change={(app) => change({ app })} />}
      {where.flag === null && (
        <TypedFilter
          label="Key of a flag or segment"
          placeholder="Any flag"
          value={filters.key}
          change={(key) => change({ key })}
          width={150}
        />
      )}
      <TimeFilter filters={filters} set={change} />
      <Switch
        label="Steps of recoveries"
        checked={!filters.hideSteps}
        onChange={(event) => change({ hideSteps: !event.currentTarget.checked })}
      />
      {number > 0 && (
        <Button
          size="xs"
          variant="subtle"
          leftSection={<IconX size={14} />}
          onClick={() => change({ ...NO_FILTERS, hideSteps: filters.hideSteps })}
        >
          Show all
        </Button>
      )}
    </>
  );
  return (
    <Group gap="xs" mb="md" role="search" aria-label="Filters of the log">
      <TypedFilter
        label="Search the log"
        placeholder="Words in the key, who or why"
        value={filters.q}
        change={(q) => change({ q })}
        width={narrow ? 180 : 240}
      />
      {narrow && (
        <Button variant="default" aria-expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
          {number > 0 ? `Filters (${number})` : "Filters"}
        </Button>
      )}
      {(!narrow || unfolded) && rest}
    </Group>
  );
}

interface TypedFilterProps {
  label: string;
  placeholder: string;
  value: string;
  change: (value: string) => void;
  choices?: readonly string[];
  width: number;
}

/** A text that filters as it is typed, once the typing pauses. */
function TypedFilter({ label, placeholder, value, change, choices, width }: TypedFilterProps) {
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  const [sent, setSent] = useState(value);
  // The address has changed in another way than by typing here: by a link, or back and forth.
  if (value !== known) {
    setKnown(value);
    if (value !== sent) setTyped(value);
  }
  const changeSoon = useDebouncedCallback((text: string) => {
    setSent(text);
    change(text);
  }, 300);
  const take = (text: string) => {
    setTyped(text);
    changeSoon(text.trim());
  };
  const common = { "aria-label": label, placeholder, value: typed, flex: `1 1 ${width}px`, maw: width * 1.5 };
  if (choices !== undefined) return <Autocomplete {...common} data={[...choices]} onChange={take} />;
  return (
    <TextInput
      {...common}
      leftSection={label.startsWith("Search") ? <IconSearch size={14} /> : undefined}
      onChange={(event) => take(event.currentTarget.value)}
    />
  );
}

function SubjectFilter({
  subjects,
  filters,
  set,
}: {
  subjects: readonly Subject[];
  filters: Filters;
  set: (some: Partial<Filters>) => void;
}) {
  const { action, kind } = filters;
  const chosen = subjectOf(subjects, action, kind);
  const other = [action, kind].filter((each) => each !== "").join(" ");
  const groups = [...new Set(subjects.map(({ group }) => group))].map((group) => ({
    group,
    items: subjects.filter((each) => each.group === group).map(({ name }) => name),
  }));
  // Parameters that no choice stands for are shown as they were written.
  const data = chosen === undefined && other !== "" ? [{ group: "In the address", items: [other] }, ...groups] : groups;
  return (
    <Select
      aria-label="What happened"
      placeholder="Anything"
      clearable
      searchable
      nothingFoundMessage="There is no such kind of entry"
      flex="1 1 180px"
      maw={260}
      data={data}
      value={chosen?.name ?? (other === "" ? null : other)}
      onChange={(name) => {
        const next = subjects.find((each) => each.name === name);
        if (next !== undefined) set({ action: next.action, kind: next.kind });
        else if (name === null) set({ action: "", kind: "" });
      }}
    />
  );
}

function AppFilter({ app, change }: { app: string; change: (app: string) => void }) {
  const { data: apps = [] } = useQuery(appsQuery);
  const keys = apps.map(({ key }) => key);
  return (
    <Select
      aria-label="App"
      placeholder="All apps"
      clearable
      searchable
      nothingFoundMessage="There is no such app"
      flex="1 1 130px"
      maw={200}
      data={app === "" || keys.includes(app) ? keys : [app, ...keys]}
      value={app === "" ? null : app}
      onChange={(key) => change(key ?? "")}
    />
  );
}

function TimeFilter({ filters, set }: { filters: Filters; set: (some: Partial<Filters>) => void }) {
  const [opened, setOpened] = useState(false);
  const { from, to } = filters;
  const choose = (ms: number) => {
    set({ from: beginOf(ms, serverClock.now()), to: "" });
    setOpened(false);
  };
  return (
    <Popover opened={opened} onChange={setOpened} trapFocus position="bottom-start" width={280}>
      <Popover.Target>
        <Button variant="default" fw={400} leftSection={<IconCalendar size={14} />} onClick={() => setOpened(!opened)}>
          {periodInWords(from, to)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          <Group gap={4}>
            {PERIODS.map(({ name, ms }) => (
              <Button key={name} size="compact-sm" variant="default" onClick={() => choose(ms)}>
                {name}
              </Button>
            ))}
          </Group>
          <TextInput
            type="datetime-local"
            label="From"
            value={toLocalInput(from)}
            onChange={(event) => set({ from: fromLocalInput(event.currentTarget.value) })}
          />
          <TextInput
            type="datetime-local"
            label="Until, exclusive"
            value={toLocalInput(to)}
            error={from !== "" && to !== "" && to <= from ? "It ends before it begins." : null}
            onChange={(event) => set({ to: fromLocalInput(event.currentTarget.value) })}
          />
          <Button size="xs" variant="subtle" onClick={() => set({ from: "", to: "" })}>
            Any time
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

function periodInWords(from: string, to: string): string {
  const nowMs = serverClock.now();
  const at = (iso: string) => localMoment(Date.parse(iso), nowMs);
  if (from !== "" && to !== "") return `${at(from)} to ${at(to)}`;
  if (from !== "") return `Since ${at(from)}`;
  if (to !== "") return `Until ${at(to)}`;
  return "Any time";
}
