import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { api, dataOf } from "@/api/client";
import { type Condition, TARGETING_KEY } from "./rules/operators";

/** All flags of an app, archived ones too: which can be required, which attributes they ask for, what uses a segment. */
export function useAppFlags(app: string) {
  const query = useInfiniteQuery({
    queryKey: ["flags", "of-app", app],
    queryFn: async ({ pageParam }) =>
      dataOf(
        await api.GET("/apps/{app}/flags", {
          params: { path: { app }, query: { archived: "all", limit: 500, after: pageParam } },
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });
  const { hasNextPage, isFetching, isError, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  const flags = useMemo(() => query.data?.pages.flatMap((page) => page.flags) ?? [], [query.data]);
  return { flags, complete: query.data !== undefined && !hasNextPage, error: query.error };
}

type Conditional = { when: readonly Condition[] };

/** The attributes that rules ask for, those of most rules first; the targeting key is always among them. */
export function attributesIn(rules: readonly Conditional[]): string[] {
  const uses = new Map<string, number>([[TARGETING_KEY, 0]]);
  for (const { attribute } of rules.flatMap(({ when }) => when)) {
    if (attribute) uses.set(attribute, (uses.get(attribute) ?? 0) + 1);
  }
  return [...uses].sort(([a, n], [b, m]) => m - n || a.localeCompare(b)).map(([attribute]) => attribute);
}

/** Which flags ask for a segment. */
export function flagsUsing<F extends { rules: readonly Conditional[] }>(flags: readonly F[], segment: string): F[] {
  return flags.filter(({ rules }) =>
    rules.some(({ when }) =>
      when.some(({ operator, values }) => operator === "in_segment" && values?.includes(segment)),
    ),
  );
}
