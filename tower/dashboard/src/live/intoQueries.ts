import type { QueryClient, QueryKey } from "@tanstack/react-query";

/**
 * Carry what is known into all queries under a key. Unlike `setQueriesData`, it leaves alone what stays the same, and what
 * was to be read again when somebody next looks is still read again.
 */
export function intoQueries<Data>(queries: QueryClient, queryKey: QueryKey, next: (data: Data) => Data): void {
  for (const query of queries.getQueryCache().findAll({ queryKey })) {
    const data = query.state.data as Data | undefined;
    if (data === undefined) continue;
    const changed = next(data);
    if (changed === data) continue;
    const { isInvalidated } = query.state;
    query.setData(changed, { manual: true });
    if (isInvalidated) query.invalidate();
  }
}
