import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { type Principal, sessionQuery } from "@/api/session";
import { ErrorState } from "@/components/views";
import { LiveProvider } from "@/live/LiveProvider";
import { ReasonProvider } from "./reason";
import { Starting } from "./Starting";

const SessionEnded = lazy(async () => ({ default: (await import("@/features/login/SessionEnded")).SessionEnded }));

/**
 * Lets those in who are logged in, with what only they need; leads others to the log-in, and back afterwards. When a
 * session ends, its page stays, and asks to log in again.
 */
export function LoggedIn() {
  const session = useQuery(sessionQuery);
  const was = useLastPrincipal(session.data?.principal ?? null);
  const { pathname, search, hash } = useLocation();
  if (session.isPending) return <Starting />;
  if (session.data === undefined) {
    return <ErrorState error={session.error} retry={() => void session.refetch()} />;
  }
  const { principal } = session.data;
  if (principal === null && was === null) {
    const next = pathname === "/" ? "" : `?next=${encodeURIComponent(pathname + search + hash)}`;
    return <Navigate to={`/login${next}`} replace />;
  }
  return (
    <LiveProvider active={principal !== null}>
      <ReasonProvider>
        <Outlet />
        {principal === null && was !== null && (
          <Suspense>
            <SessionEnded was={was} session={session.data} />
          </Suspense>
        )}
      </ReasonProvider>
    </LiveProvider>
  );
}

/** Return who was logged in last, and read everything again when somebody is after nobody was. */
function useLastPrincipal(now: Principal | null): Principal | null {
  const queries = useQueryClient();
  const [last, setLast] = useState(now);
  const ended = useRef(false);
  useEffect(() => {
    if (now === null) {
      ended.current = last !== null;
      return;
    }
    // Another person has other rights, and must not see what the one before has left.
    if (last !== null && last.id !== now.id) window.location.reload();
    if (ended.current) void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" });
    ended.current = false;
    setLast(now);
  }, [now, last, queries]);
  return last;
}
