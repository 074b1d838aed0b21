import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, because, dataOf, type Schemas } from "@/api/client";
import { useRights } from "@/api/session";
import { appsQuery } from "@/features/apps/api";
import type { Flag } from "@/features/flags/api";
import { type Sidecar, useSidecars } from "@/features/sidecars/api";
import { useReason } from "@/shell/reason";
import { answersBy } from "./progress";

const LOOK_EVERY_MS = 2000;

/** Whether this Tower has no app yet; null while that is not known. */
export function useIsEmpty(): boolean | null {
  const { data } = useQuery(appsQuery);
  return data === undefined ? null : data.length === 0;
}

/** An app's flags that are in use, as far as one page goes; undefined until they are read. */
export function useFirstFlags(app: string | null) {
  const { data, error, refetch } = useInfiniteQuery({
    queryKey: ["flags", app, "first-run"],
    queryFn: async () =>
      dataOf(
        await api.GET("/apps/{app}/flags", { params: { path: { app: app ?? "" }, query: { limit: 100 } } }),
      ) as Schemas["FlagList"],
    initialPageParam: "",
    getNextPageParam: () => null,
    enabled: app !== null,
  });
  const flags: Flag[] | undefined = app === null ? [] : data?.pages.flatMap((page) => page.flags);
  return { flags, error, refetch };
}

/** How many SDK keys an app has; null where that is not known, or not for the one who looks. */
export function useKeyCount(app: string | null): number | null {
  const { mayAdmin } = useRights();
  const { data } = useQuery({
    queryKey: ["keys", app, "first-run"],
    queryFn: async () =>
      dataOf(await api.GET("/apps/{app}/keys", { params: { path: { app: app ?? "" }, query: { limit: 100 } } })).keys
        .length,
    enabled: app !== null && mayAdmin(app),
  });
  return data ?? null;
}

/** The sidecars of an app that are heard from. */
export function useHeard(app: string | null): Sidecar[] {
  const { data } = useSidecars(app);
  if (app === null) return [];
  return data?.pages.flatMap((page) => page.sidecars).filter(({ status }) => status !== "silent") ?? [];
}

/** How often each variant was answered: in the last minutes, looked at every two seconds, and in the last day. */
export function useAnswers(app: string | null, flag: string | null) {
  const enabled = app !== null && flag !== null;
  const read = async (range: "5m" | "24h") => {
    const params = { path: { app: app ?? "", flag: flag ?? "" }, query: { range } };
    return dataOf(await api.GET("/apps/{app}/flags/{flag}/timeseries", { params })).evaluations.variants;
  };
  const { data: lately } = useQuery({
    queryKey: ["graph", app, flag, "first-run", "5m"],
    queryFn: () => read("5m"),
    refetchInterval: LOOK_EVERY_MS,
    enabled,
  });
  const { data: day } = useQuery({
    queryKey: ["graph", app, flag, "first-run", "24h"],
    queryFn: () => read("24h"),
    enabled,
  });
  return { lately: answersBy(lately ?? {}), day: answersBy(day ?? {}) };
}

export function useMakeApp() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (key: string) => dataOf(await api.POST("/apps", { body: { key } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["apps"] }),
  });
}

/** Make a flag that is on for everybody, so that the first answer is a yes. */
export function useMakeFlag(app: string) {
  const queries = useQueryClient();
  const reasonFor = useReason();
  return useMutation({
    mutationFn: async (key: string) => {
      const params = { path: { app }, header: because(await reasonFor(app)) };
      return dataOf(await api.POST("/apps/{app}/flags", { params, body: { key, active: true } }));
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ["flags"] }),
  });
}

export function useMakeKey(app: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async () =>
      dataOf(await api.POST("/apps/{app}/keys", { params: { path: { app } }, body: { name: "first sidecar" } })).key,
    onSuccess: () => queries.invalidateQueries({ queryKey: ["keys"] }),
  });
}
