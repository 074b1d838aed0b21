import { infiniteQueryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, dataOf, type Schemas } from "@/api/client";

export type Sidecar = Schemas["SidecarOut"];
export type Flag = Schemas["FlagOut"];

const PAGE = 500;

/** The sidecars of an app, null standing for all apps. The live connection keeps them up to date. */
export const sidecarsQuery = (app: string | null) =>
  infiniteQueryOptions({
    queryKey: ["sidecars", app],
    queryFn: async ({ pageParam: after }) => {
      const query = { limit: PAGE, after };
      return dataOf(
        app === null
          ? await api.GET("/sidecars", { params: { query } })
          : await api.GET("/apps/{app}/sidecars", { params: { path: { app }, query } }),
      );
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });

/** Read all pages, one after another: those that lag are shown first, wherever they are. */
export function useSidecars(app: string | null) {
  const query = useInfiniteQuery(sidecarsQuery(app));
  const { hasNextPage, isFetching, isError, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  return query;
}

/** The flags of some apps whose last change some sidecar has not taken in; read only while there is such a sidecar. */
export function useNotArrived(apps: readonly string[]): Flag[] {
  const query = useInfiniteQuery({
    queryKey: ["flags", null, "not-arrived", [...apps].sort()],
    queryFn: async ({ pageParam: after }) =>
      dataOf(await api.GET("/flags", { params: { query: { limit: PAGE, after, app: [...apps].sort().join(",") } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    enabled: apps.length > 0,
  });
  const { hasNextPage, isFetching, isError, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  if (apps.length === 0) return [];
  return (query.data?.pages ?? [])
    .flatMap((page) => page.flags)
    .filter((flag) => flag.state.arrived.missing.length > 0);
}
