import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import { serverClock } from "@/api/clock";
import { sessionQuery } from "@/api/session";
import { LiveCache } from "./cache";
import { LiveConnection, type LiveState, type ServerMessage } from "./connection";
import type { Need } from "./needs";

const Connection = createContext<LiveConnection | null>(null);

/**
 * Keeps one live connection for everything below, and the queries' cache up to date by it. While it is not `active`,
 * for want of a session, it does not try.
 */
export function LiveProvider({ active = true, children }: { active?: boolean; children: ReactNode }) {
  const queries = useQueryClient();
  const connection = useMemo(() => {
    const url = new URL("/api/v1/live", window.location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const around = { open: () => new WebSocket(url), now: () => serverClock.now(), random: Math.random };
    return new LiveConnection(around, () => void queries.invalidateQueries({ queryKey: sessionQuery.queryKey }));
  }, [queries]);
  useEffect(() => {
    if (!active) return;
    const cache = new LiveCache(queries);
    const forget = connection.receive((message) => cache.take(message));
    const hurry = () => document.visibilityState === "visible" && connection.hurry();
    window.addEventListener("online", hurry);
    window.addEventListener("offline", hurry);
    document.addEventListener("visibilitychange", hurry);
    connection.start();
    return () => {
      connection.stop();
      forget();
      cache.close();
      window.removeEventListener("online", hurry);
      window.removeEventListener("offline", hurry);
      document.removeEventListener("visibilitychange", hurry);
    };
  }, [active, connection, queries]);
  return <Connection value={connection}>{children}</Connection>;
}

function useConnection(): LiveConnection {
  const connection = useContext(Connection);
  if (connection === null) throw new Error("useLive… is used outside of LiveProvider");
  return connection;
}

/** Whether what the page shows is kept up to date. */
export function useLiveState(): LiveState {
  const connection = useConnection();
  return useSyncExternalStore(connection.watch, () => connection.state);
}

/** Follow more than all pages do, as long as the component is there. */
export function useLiveNeed(need: Need): void {
  const connection = useConnection();
  const wanted = JSON.stringify(need);
  useEffect(() => connection.need(JSON.parse(wanted) as Need), [connection, wanted]);
}

/** Get each message of the live connection. `receiver` has to be the same function between renderings (useCallback). */
export function useLiveMessages(receiver: (message: ServerMessage) => void): void {
  const connection = useConnection();
  useEffect(() => connection.receive(receiver), [connection, receiver]);
}
