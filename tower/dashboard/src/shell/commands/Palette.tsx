import "@mantine/spotlight/styles.layer.css";
import { createSpotlight, Spotlight } from "@mantine/spotlight";
import {
  IconApps,
  IconArrowRight,
  IconBolt,
  IconClockHour4,
  IconFlag,
  IconLayoutDashboard,
  IconSearch,
} from "@tabler/icons-react";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useNavigate } from "react-router";
import { palette } from "./palette";
import { once, ranked } from "./ranking";
import { recentCommands, remember } from "./recent";
import { type Command, useRegistered } from "./registry";
import { useFlagCommands, useOffered } from "./useOffered";

const [store, spotlight] = createSpotlight();
const ICONS = {
  Flags: IconFlag,
  Apps: IconApps,
  Pages: IconLayoutDashboard,
  Actions: IconBolt,
  "On this page": IconBolt,
};
/** So many of each group, so that each is seen. */
const OF_EACH = 8;
const RECENT = 6;

/** Finds pages, apps, flags and actions by their names. */
export function Palette({ showShortcuts }: { showShortcuts: () => void }) {
  const asked = useSyncExternalStore(palette.watch, palette.asked);
  const [query, setQuery] = useState("");
  // biome-ignore lint/correctness/useExhaustiveDependencies: each time that it is asked for
  useEffect(() => spotlight.open(), [asked]);
  const navigate = useNavigate();
  const groups = useFound(query, showShortcuts);
  // Enter takes what fits best.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each time that something else is found
  useEffect(() => {
    if (query.trim() !== "") selectFirst();
  }, [query, groups]);
  const choose = (command: Command) => {
    remember(command);
    if (command.to !== undefined) void navigate(command.to);
    else command.run?.();
  };
  return (
    <Spotlight.Root
      store={store}
      shortcut={null}
      query={query}
      onQueryChange={setQuery}
      scrollable
      maxHeight="min(60dvh, 480px)"
      transitionProps={{ duration: 100 }}
      overlayProps={{ backgroundOpacity: 0.4, blur: 0 }}
      aria-label="Find a page, a flag or an action"
    >
      <Spotlight.Search
        placeholder="Find a page, a flag or an action"
        aria-label="Find a page, a flag or an action"
        leftSection={<IconSearch size={18} />}
      />
      <Spotlight.ActionsList>
        {groups.length === 0 && <Spotlight.Empty>Nothing is called like that.</Spotlight.Empty>}
        {groups.map(({ name, commands }) => (
          <Spotlight.ActionsGroup key={name} label={name}>
            {commands.map((command) => {
              const Icon = name === "Recent" ? IconClockHour4 : ICONS[command.group];
              return (
                <Spotlight.Action
                  key={command.id}
                  label={command.name}
                  description={command.hint}
                  leftSection={<Icon size={18} />}
                  rightSection={command.to === undefined ? undefined : <IconArrowRight size={14} />}
                  onClick={() => choose(command)}
                />
              );
            })}
          </Spotlight.ActionsGroup>
        ))}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  );
}

/** Select the first entry as the arrow keys do; the component does so only before the flags of the server are there. */
function selectFirst(): void {
  const list = document.getElementById(store.getState().listId);
  list?.querySelector("[data-selected]")?.removeAttribute("data-selected");
  list?.querySelector("[data-action]")?.setAttribute("data-selected", "true");
  store.updateState((state) => ({ ...state, selected: 0 }));
}

/** What a query finds, in groups: with nothing written, what was used last and what the page offers. */
function useFound(query: string, showShortcuts: () => void): { name: string; commands: Command[] }[] {
  const offered = useOffered(showShortcuts);
  const registered = useRegistered();
  const flags = useFlagCommands(query);
  return useMemo(() => {
    const recent = recentCommands();
    const all = once([...registered, ...flags, ...offered, ...recent.filter(({ to }) => to !== undefined)]);
    const ids = recent.map(({ id }) => id);
    const grouped = (commands: readonly Command[]) =>
      (["On this page", "Flags", "Apps", "Pages", "Actions"] as const)
        .map((name) => ({ name, commands: commands.filter(({ group }) => group === name).slice(0, OF_EACH) }))
        .filter(({ commands }) => commands.length > 0);
    const found = ranked(all, query, ids);
    if (query.trim() === "") {
      const lately = found.filter(({ id }) => ids.includes(id)).slice(0, RECENT);
      const rest = grouped(found.filter((command) => !lately.includes(command)));
      return lately.length > 0 ? [{ name: "Recent", commands: lately }, ...rest] : rest;
    }
    // The group of what fits best stands first.
    const groups = grouped(found);
    const best = found[0]?.group;
    return [...groups.filter(({ name }) => name === best), ...groups.filter(({ name }) => name !== best)];
  }, [offered, registered, flags, query]);
}
