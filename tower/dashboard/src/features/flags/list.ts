import { type InfiniteData, type QueryClient, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { api, dataOf, type Schemas } from "@/api/client";
import { intoQueries } from "@/live/intoQueries";

type Flag = Schemas["FlagOut"];
type Page = Schemas["FlagList"];

/** More flags than this are not read into the page: the filter of the API is for those. */
const FLAGS_AT_MOST = 5_000;
const PAGE_SIZE = 500;

export interface FlagsInList {
  flags: Flag[];
  /** How far it is: `more` pages are on their way, or there are more than the page holds (`cut`). */
  more: boolean;
  cut: boolean;
  pending: boolean;
  error: Error | null;
  retry: () => void;
}

/** All flags of an app, or of all apps, page after page; the live connection keeps them up to date. */
export function useFlags(app: string | null, archived: boolean): FlagsInList {
  const query = useInfiniteQuery({
    queryKey: ["flags", app, archived ? "archived" : "in use"],
    queryFn: async ({ pageParam }): Promise<Page> => {
      const query = { limit: PAGE_SIZE, after: pageParam, archived: archived ? ("true" as const) : undefined };
      return dataOf(
        app === null
          ? await api.GET("/flags", { params: { query } })
          : await api.GET("/apps/{app}/flags", { params: { path: { app }, query } }),
      );
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
  });
  const flags = useMemo(() => query.data?.pages.flatMap((page) => page.flags) ?? [], [query.data]);
  const cut = query.hasNextPage && flags.length >= FLAGS_AT_MOST;
  const more = query.hasNextPage && !cut;
  const { fetchNextPage, isFetching, isError } = query;
  useEffect(() => {
    if (more && !isFetching && !isError) void fetchNextPage();
  }, [more, isFetching, isError, fetchNextPage]);
  return { flags, more, cut, pending: query.isPending, error: query.error, retry: () => void query.refetch() };
}

/** Show a flag in all lists as it has become; the live connection says the same a moment later. */
export function intoLists(queries: QueryClient, flag: Flag): void {
  const isIt = (old: Flag) => old.app === flag.app && old.key === flag.key;
  intoQueries<InfiniteData<Page>>(queries, ["flags"], (lists) => {
    if (!lists.pages.some((page) => page.flags.some(isIt))) return lists;
    const pages = lists.pages.map((page) => ({ ...page, flags: page.flags.map((old) => (isIt(old) ? flag : old)) }));
    return { ...lists, pages };
  });
}
