import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { api, dataOf } from "@/api/client";
import { type Flag, idOf } from "@/features/flags/api";
import type { ServerMessage } from "@/live/connection";
import { useLiveMessages, useLiveNeed } from "@/live/LiveProvider";
import { CallsWindow } from "./callsWindow";

const EVERY_MS = 5_000;

/** About how many calls a minute reach the flag's feature now; null where that is not known. */
export function useCallsPerMinute(flag: Flag): number | null {
  const id = idOf(flag);
  const [window] = useState(() => new CallsWindow());
  const [live, setLive] = useState<number | null>(null);
  useLiveNeed({ points: [id], everyMs: EVERY_MS });
  useLiveMessages(
    useCallback(
      (message: ServerMessage) => {
        if (message.type !== "points") return;
        const calls = message.flags[id]?.calls;
        if (!message.available || calls === undefined) return;
        window.take({ resolutionMs: message.resolution_ms, atMs: message.at_ms, calls });
        setLive(window.perMinute());
      },
      [window, id],
    ),
  );
  // Until enough live points are there, the graph of the last minute tells.
  const { data = null } = useQuery({
    queryKey: ["graph", flag.app, flag.key, "calls in the last minute"],
    queryFn: async (): Promise<number | null> => {
      const query = { flags: id, range: "1m" as const };
      const sparks = dataOf(await api.GET("/timeseries", { params: { query } }));
      const spark = sparks.flags[id];
      return spark?.counted ? spark.calls.reduce<number>((sum, calls) => sum + (calls ?? 0), 0) : null;
    },
    enabled: live === null,
    retry: false,
  });
  return live ?? data;
}
