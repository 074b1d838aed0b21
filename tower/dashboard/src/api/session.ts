import { type QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { api, dataOf, type Schemas, setCsrfToken } from "./client";

export type Session = Schemas["SessionOut"];
export type Principal = Schemas["PrincipalOut"];

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async (): Promise<Session> => {
    const session = dataOf(await api.GET("/session"));
    setCsrfToken(session.csrf_token ?? null);
    return session;
  },
  staleTime: Number.POSITIVE_INFINITY,
});

/** Take in a session that a log-in has opened. */
export function sessionOpened(queries: QueryClient, session: Session): void {
  setCsrfToken(session.csrf_token ?? null);
  queries.setQueryData(sessionQuery.queryKey, session);
}

const RANKS: Readonly<Record<string, number>> = { viewer: 1, editor: 2, admin: 3 };

/** What the one who looks may do. The server decides; this is what the page offers. */
export interface Rights {
  principal: Principal | null;
  /** Whether flags and segments of `app` may be changed; without an app, those of all. */
  mayEdit: (app?: string) => boolean;
  mayAdmin: (app?: string) => boolean;
}

export function rightsOf(principal: Principal | null): Rights {
  const rank = (app?: string) =>
    Math.max(RANKS[principal?.role ?? ""] ?? 0, app === undefined ? 0 : (RANKS[principal?.apps[app] ?? ""] ?? 0));
  return { principal, mayEdit: (app) => rank(app) >= 2, mayAdmin: (app) => rank(app) >= 3 };
}

export function useRights(): Rights {
  const { data } = useQuery(sessionQuery);
  return rightsOf(data?.principal ?? null);
}
