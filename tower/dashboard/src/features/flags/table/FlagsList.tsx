import { Alert, Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useDeferredValue, useEffect, useMemo, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { useRights } from "@/api/session";
import { count, counted } from "@/components/numbers";
import { EmptyState, ErrorState, LoadingState } from "@/components/views";
import { appsQuery } from "@/features/apps/api";
import { paths } from "@/shell/paths";
import { idOf } from "../api";
import { useFlags } from "../list";
import { Filters } from "./Filters";
import { FlagsTable } from "./FlagsTable";
import {
  type Column,
  choicesOf,
  EVERYTHING,
  environmentsOf,
  filtered,
  filtersIn,
  linesOf,
  searchOf,
  sorted,
  type View,
  viewOf,
} from "./filter";
import type { SparkStore } from "./sparks";
import styles from "./table.module.css";
import { REORDER_MS, useSparks } from "./useSparks";

/** The flags of an app, or of all apps, with their filters and their order in the address. */
export function FlagsList({ app }: { app: string | null }) {
  const { view, change } = useView();
  const { data: apps } = useQuery(appsQuery);
  const environments = useMemo(() => environmentsOf(apps ?? []), [apps]);
  const { flags, more, cut, pending, error, retry } = useFlags(app, view.state === "archived");
  const wanted = useDeferredValue(view);
  const shown = useMemo(() => filtered(flags, wanted, environments), [flags, wanted, environments]);

  const byNumbers = wanted.sort === "calls" || wanted.sort === "errors";
  const all = useMemo(() => (byNumbers ? shown.map(idOf).join(" ") : null), [byNumbers, shown]);
  const [visible, setVisible] = useState("");
  const store = useSparks(visible, all);
  const looked = useLooked(store, byNumbers);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `looked` says that the store has other numbers
  const lines = useMemo(
    () => linesOf(sorted(shown, wanted, store.measured), wanted.grouped && app === null),
    [shown, wanted, store, looked, app],
  );
  const choices = useMemo(() => choicesOf(flags, environments), [flags, environments]);
  const onSort = useCallback((column: Column) => change((now) => nextOrder(now, column)), [change]);
  const onChange = useCallback((fields: Partial<View>) => change((now) => ({ ...now, ...fields })), [change]);

  if (pending) return <LoadingState rows={10} height={44} />;
  if (flags.length === 0 && error !== null) return <ErrorState error={error} retry={retry} />;
  if (flags.length === 0 && view.state !== "archived") return <NoFlags app={app} />;
  return (
    <div className={styles.wrap}>
      {error !== null && <ErrorState error={error} retry={retry} />}
      <Filters
        view={view}
        onChange={onChange}
        choices={choices}
        apps={app === null}
        found={foundIn(shown.length, flags.length, filtersIn(view) > 0, more)}
      />
      {cut && (
        <Alert color="gray" variant="outline" mb="sm">
          There are more flags than the {count(flags.length)} that are listed here. Choose an app to see all of its
          flags.
        </Alert>
      )}
      <SparkTrouble store={store} />
      {lines.length === 0 ? (
        <EmptyState
          title={view.state === "archived" && filtersIn(view) === 1 ? "No flag is archived" : "No flag is like that"}
          action={
            <Button variant="default" onClick={() => onChange(EVERYTHING)}>
              Show all flags
            </Button>
          }
        />
      ) : (
        <FlagsTable
          lines={lines}
          store={store}
          withApp={app === null && !wanted.grouped}
          sort={view.sort}
          descending={view.descending}
          onSort={onSort}
          onVisible={setVisible}
          environments={environments}
        />
      )}
    </div>
  );
}

/** The view that stands in the address, and a way to change it there. */
function useView() {
  const [search, setSearch] = useSearchParams();
  const view = useMemo(() => viewOf(search), [search]);
  const change = useCallback(
    (to: (view: View) => View) =>
      setSearch((now) => searchOf(to(viewOf(now))), { replace: true, preventScrollReset: true }),
    [setSearch],
  );
  return { view, change };
}

/** Counts up when it is time to look at the numbers again by which a list is ordered: rows must not jump all the time. */
function useLooked(store: SparkStore, wanted: boolean): number {
  const [looked, setLooked] = useState(0);
  useEffect(() => {
    if (!wanted) return;
    let first = true;
    const look = () => setLooked((times) => times + 1);
    const forget = store.watch(() => {
      if (first) look();
      first = false;
    });
    const timer = setInterval(look, REORDER_MS);
    return () => {
      forget();
      clearInterval(timer);
    };
  }, [store, wanted]);
  return looked;
}

/** A column orders upwards, then downwards, then not at all; numbers begin with the most. */
function nextOrder(view: View, column: Column): View {
  const mostFirst = column === "rollout" || column === "calls" || column === "errors" || column === "changed";
  if (view.sort !== column) return { ...view, sort: column, descending: mostFirst };
  if (view.descending === mostFirst) return { ...view, descending: !mostFirst };
  return { ...view, sort: "attention", descending: false };
}

function foundIn(shown: number, all: number, filters: boolean, more: boolean): string {
  if (more) return `${counted(all, "flag")} so far, reading on`;
  return filters ? `${count(shown)} of ${counted(all, "flag")}` : counted(all, "flag");
}

function SparkTrouble({ store }: { store: SparkStore }) {
  const [trouble, setTrouble] = useState<string | null>(store.trouble);
  useEffect(() => store.watch(() => setTrouble(store.trouble)), [store]);
  if (trouble === null) return null;
  return (
    <Alert color="gray" variant="outline" mb="sm" role="status">
      The small graphs stand still: {trouble}
    </Alert>
  );
}

function NoFlags({ app }: { app: string | null }) {
  const { mayEdit } = useRights();
  return (
    <EmptyState
      title={app === null ? "There is no flag yet" : `${app} has no flag yet`}
      action={
        mayEdit(app ?? undefined) && (
          <Button component={Link} to={paths.newFlag(app)}>
            Make the first flag
          </Button>
        )
      }
    >
      A flag turns a feature on for some users, and its circuit turns it off when the feature fails.
    </EmptyState>
  );
}
