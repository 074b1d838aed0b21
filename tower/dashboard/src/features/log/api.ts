import { infiniteQueryOptions, queryOptions, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { api, dataOf, type Schemas } from "@/api/client";
import { type Filters, queryOf, type Where } from "./filters";
import { arrivedIn, type Pages } from "./pages";

export type Entry = Schemas["EntryOut"];
export type LogPage = Schemas["LogPage"];

export const PAGE = 50;

async function readPage(where: Where, filters: Filters, after: string | undefined): Promise<LogPage> {
  const query = { ...queryOf(filters, where), limit: PAGE, after };
  if (where.app === null) return dataOf(await api.GET("/log", { params: { query } }));
  const { app: _, ...inApp } = query;
  if (where.flag === null) {
    return dataOf(await api.GET("/apps/{app}/log", { params: { path: { app: where.app }, query: inApp } }));
  }
  const path = { app: where.app, flag: where.flag };
  const { key: __, ...ofFlag } = inApp;
  return dataOf(await api.GET("/apps/{app}/flags/{flag}/log", { params: { path, query: ofFlag } }));
}

/**
 * The pages that were read. Their key does not begin with "log": a new entry makes nothing of them outdated, and all of
 * them would be read again. `useTimeline` puts new entries in front.
 */
const timelineQuery = (where: Where, filters: Filters) =>
  infiniteQueryOptions({
    queryKey: ["timeline", where, filters],
    queryFn: ({ pageParam }) => readPage(where, filters, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The newest page alone, which the live connection has read again when something comes. */
const newestQuery = (where: Where, filters: Filters) =>
  queryOptions({
    queryKey: ["log", "newest", where, filters],
    queryFn: () => readPage(where, filters, undefined),
  });

export const entryQuery = (entry: string) =>
  queryOptions({
    queryKey: ["entry", entry],
    queryFn: async (): Promise<Entry> => dataOf(await api.GET("/log/{entry}", { params: { path: { entry } } })),
    // Entries are never changed.
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The log as it is looked at: pages of the past, and in front of them what comes meanwhile. */
export function useTimeline(where: Where, filters: Filters) {
  const queries = useQueryClient();
  const past = timelineQuery(where, filters);
  const timeline = useInfiniteQuery(past);
  const { data: newest } = useQuery({
    ...newestQuery(where, filters),
    enabled: timeline.data !== undefined,
    initialData: () => timeline.data?.pages[0],
    initialDataUpdatedAt: timeline.dataUpdatedAt,
  });
  const pages = timeline.data;
  useEffect(() => {
    if (newest === undefined || pages === undefined) return;
    const next = arrivedIn(pages, newest);
    if (next === "gap") void queries.invalidateQueries({ queryKey: past.queryKey });
    else if (next !== null) queries.setQueryData<Pages>(past.queryKey, next);
  }, [newest, pages, queries, past.queryKey]);
  const entries = useMemo(() => pages?.pages.flatMap((page) => page.entries) ?? [], [pages]);
  return { ...timeline, entries };
}
