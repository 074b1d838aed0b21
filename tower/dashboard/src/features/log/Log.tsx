import { Button, Group, Menu } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useCallback, useMemo } from "react";
import { useLocation, useSearchParams } from "react-router";
import { EmptyState } from "@/components/views";
import { useTimeline } from "./api";
import { FilterBar } from "./FilterBar";
import { countSet, exportUrl, type Filters, filtersOf, NO_FILTERS, searchOf, type Where } from "./filters";
import { Timeline } from "./Timeline";

/** The filters as they stand in the page's address, and a way to change them there. */
export function useFilters() {
  const [search, setSearch] = useSearchParams();
  const filters = useMemo(() => filtersOf(search), [search]);
  // What the address says now counts: it may be ahead of what was rendered.
  const change = (some: Partial<Filters>) => {
    const next = { ...filtersOf(new URLSearchParams(window.location.search)), ...some };
    setSearch(searchOf(next), { replace: true, preventScrollReset: true });
  };
  return { filters, change };
}

/** A filtered log: of all apps, of one, or of a flag. */
export function Log({ where }: { where: Where }) {
  const { filters, change } = useFilters();
  const { pathname } = useLocation();
  const timeline = useTimeline(where, filters);
  const { entries } = timeline;
  const actors = useMemo(() => [...new Set(entries.map(({ actor }) => actor.name))].sort(), [entries]);
  const byActor = useCallback((actor: string) => `${pathname}?${searchOf({ ...filters, actor })}`, [pathname, filters]);
  const filtered = countSet(filters, where) > 0;
  return (
    <>
      <FilterBar where={where} filters={filters} change={change} actors={actors} />
      <Timeline
        key={JSON.stringify([where, filters])}
        timeline={timeline}
        byActor={byActor}
        empty={
          filtered ? (
            <EmptyState
              title="No entry is like this"
              action={
                <Button variant="default" onClick={() => change({ ...NO_FILTERS, hideSteps: filters.hideSteps })}>
                  Show all
                </Button>
              }
            >
              A search finds the beginnings of words in the key, in the reason, and in the name of whoever did it.
            </EmptyState>
          ) : (
            <EmptyState title="Nothing has happened yet">
              Every change and every transition of a circuit will stand here, with who, when and why.
            </EmptyState>
          )
        }
      />
    </>
  );
}

/** Downloads of what is looked at. */
export function Exports({ where }: { where: Where }) {
  const { filters } = useFilters();
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <Button size="xs" variant="default" leftSection={<IconDownload size={14} />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>All entries with these filters</Menu.Label>
        <Menu.Item component="a" href={exportUrl(filters, where, "csv")} download>
          CSV, for spreadsheets
        </Menu.Item>
        <Menu.Item component="a" href={exportUrl(filters, where, "jsonl")} download>
          JSON Lines, with whole states
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** The log as a part of another page, whose head is not its own. */
export function LogWithExports({ where }: { where: Where }) {
  return (
    <>
      <Group justify="flex-end" mb="xs">
        <Exports where={where} />
      </Group>
      <Log where={where} />
    </>
  );
}
