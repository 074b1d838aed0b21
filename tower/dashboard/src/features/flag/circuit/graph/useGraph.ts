import { keepPreviousData, queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api, dataOf } from "@/api/client";
import { serverClock } from "@/api/clock";
import { sentenceOf } from "@/api/problem";
import { useNow } from "@/components/times";
import { type Flag, idOf } from "@/features/flags/api";
import type { ServerMessage } from "@/live/connection";
import { useLiveMessages, useLiveNeed, useLiveState } from "@/live/LiveProvider";
import { type Graph, LiveBuckets, opensAtOver, type Series, seriesOf, withLive } from "./series";
import { isInSeconds, judgedMs, limitsOf, RANGES, resolutionFor, type Span } from "./span";

/** The graph of a flag over a time; ranges that end now are read again as fast as their buckets fill. */
export const graphQuery = (app: string, flag: string, span: Span) =>
  queryOptions({
    queryKey: ["graph", app, flag, span],
    queryFn: () => read(app, flag, span, resolutionFor(span, serverClock.now())),
    refetchInterval: "range" in span ? RANGES[span.range].refreshMs : false,
    placeholderData: keepPreviousData,
  });

async function read(app: string, flag: string, span: Span, resolution_ms: number | undefined): Promise<Graph> {
  const time = "range" in span ? { range: span.range } : { from_ms: span.fromMs, to_ms: span.toMs };
  const query = resolution_ms === undefined ? time : { ...time, resolution_ms };
  return dataOf(await api.GET("/apps/{app}/flags/{flag}/timeseries", { params: { path: { app, flag }, query } }));
}

/** The same in buckets as wide as the window that is judged; of a time in longer buckets, the last minute. */
const windowsQuery = ({ app, key, circuit }: Flag, span: Span) => {
  const shown: Span = isInSeconds(span) ? span : { range: "1m" };
  const resolutionMs = judgedMs(circuit?.window_ms ?? null);
  return queryOptions({
    queryKey: ["graph", app, key, shown, resolutionMs],
    queryFn: () => read(app, key, shown, resolutionMs),
    refetchInterval: "range" in shown ? 5_000 : false,
    placeholderData: keepPreviousData,
  });
};

/** What the windows say that a circuit is judged by: the opening rates of a graph in seconds, and what is so now. */
export function useWindows(flag: Flag, span: Span): { windows: Graph | null; problem: string | null } {
  const { data, error } = useQuery(windowsQuery(flag, span));
  return { windows: data ?? null, problem: error === null ? null : sentenceOf(error) };
}

/** The second counts that end now, with what the live connection has told since; null until they are read. */
export function useSeconds(flag: Flag, span: Span, live: LiveBuckets, changes: number): Series | null {
  const { data } = useQuery(graphQuery(flag.app, flag.key, span));
  // biome-ignore lint/correctness/useExhaustiveDependencies: the buckets are one object, and `changes` tells of each change
  return useMemo(() => (data === undefined ? null : withLive(seriesOf(data), live)), [data, live, changes]);
}

/** The buckets that the live connection sends of a flag, and how often they have changed. */
export function useLiveBuckets(flag: Flag): { live: LiveBuckets; changes: number } {
  const id = idOf(flag);
  const live = useMemo(() => ({ id, buckets: new LiveBuckets() }), [id]);
  const [changes, setChanges] = useState(0);
  useLiveNeed({ points: [id], everyMs: 1000 });
  useLiveMessages(
    useCallback(
      (message: ServerMessage) => {
        if (message.type === "points" && live.buckets.take(message, live.id)) setChanges((now) => now + 1);
      },
      [live],
    ),
  );
  return { live: live.buckets, changes };
}

/** Now by the clock of the counts; it stands still while the live connection is gone. */
function useGraphNow(
  graph: Graph | undefined,
  readAtMs: number,
  circuit: Flag["state"]["circuit"],
): { nowMs: number; old: boolean } {
  const state = useLiveState();
  const now = useNow();
  const old = state.phase === "gone";
  const offset = useRef(0);
  if (graph !== undefined && readAtMs > 0) offset.current = graph.points.now_ms - readAtMs;
  const nowMs = old && state.lastLiveMs !== null ? state.lastLiveMs : now;
  // Small differences are the way of the answer, and would make the axis tremble.
  const shownMs = nowMs + (Math.abs(offset.current) > 2_000 ? offset.current : 0);
  // The clock moves once a second; a circuit that has just moved is in the graph at once.
  const movedMs = movedAtMs(circuit);
  return { nowMs: movedMs !== null && movedMs >= shownMs && movedMs < shownMs + 2_000 ? movedMs + 1 : shownMs, old };
}

function movedAtMs(circuit: Flag["state"]["circuit"]): number | null {
  return circuit?.since ? Date.parse(circuit.since) : null;
}

export interface LiveGraph {
  query: { data: Graph | undefined; error: unknown; isError: boolean; refetch: () => unknown };
  series: Series | null;
  fromMs: number;
  toMs: number;
  nowMs: number;
  /** Whether the live connection is gone, so that what is shown is old. */
  old: boolean;
  /** Whether another time is being read, and the one before is shown. */
  pending: boolean;
}

/** The graph of a flag that moves by itself where it ends now. */
export function useGraph(flag: Flag, span: Span, live: LiveBuckets, changes: number): LiveGraph {
  const query = useQuery(graphQuery(flag.app, flag.key, span));
  const { data } = query;
  const { circuit } = flag.state;
  const { nowMs, old } = useGraphNow(query.isPlaceholderData ? undefined : data, query.dataUpdatedAt, circuit);
  useCatchingUp(flag);
  const { windows } = useWindows(flag, span);
  const moving = "range" in span;
  const openedMs = circuit?.state === "open" ? movedAtMs(circuit) : null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the buckets are one object, and `changes` tells of each change
  const series = useMemo(() => {
    if (data === undefined) return null;
    const read = seriesOf(data, openedMs);
    const grown = moving ? withLive(read, live) : read;
    return windows !== null && grown.resolutionMs <= 1000 ? opensAtOver(grown, windows) : grown;
  }, [data, windows, live, changes, moving, openedMs]);
  const { fromMs, toMs } = limitsOf(span, nowMs);
  return { query, series, fromMs, toMs, nowMs, old, pending: query.isPlaceholderData };
}

/** Read the graphs again once the live connection is back. */
function useCatchingUp({ app, key }: Flag): void {
  const { phase } = useLiveState();
  const queries = useQueryClient();
  const was = useRef(phase);
  useEffect(() => {
    if (was.current === "gone" && phase === "live") void queries.invalidateQueries({ queryKey: ["graph", app, key] });
    was.current = phase;
  }, [phase, queries, app, key]);
}
