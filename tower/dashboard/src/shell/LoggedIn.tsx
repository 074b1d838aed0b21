import { Center, Loader } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Navigate, Outlet, useLocation } from "react-router";
import { sessionQuery } from "@/api/session";
import { ErrorState } from "@/components/views";
import { LiveProvider } from "@/live/LiveProvider";
import { ReasonProvider } from "./reason";

/** Lets those in who are logged in, with what only they need; leads others to the log-in, and back afterwards. */
export function LoggedIn() {
  const session = useQuery(sessionQuery);
  const { pathname, search } = useLocation();
  if (session.isPending) {
    return (
      <Center h="100dvh">
        <Loader aria-label="Loading" />
      </Center>
    );
  }
  if (session.data === undefined) {
    return <ErrorState error={session.error} retry={() => void session.refetch()} />;
  }
  if (session.data.principal === null) {
    const next = pathname === "/" ? "" : `?next=${encodeURIComponent(pathname + search)}`;
    return <Navigate to={`/login${next}`} replace />;
  }
  return (
    <LiveProvider>
      <ReasonProvider>
        <Outlet />
      </ReasonProvider>
    </LiveProvider>
  );
}
