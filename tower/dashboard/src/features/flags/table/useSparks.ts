import { useCallback, useEffect, useMemo, useState } from "react";
import { api, dataOf } from "@/api/client";
import { sentenceOf } from "@/api/problem";
import type { ServerMessage } from "@/live/connection";
import { useLiveMessages, useLiveNeed, useLiveState } from "@/live/LiveProvider";
import { RESOLUTION_MS, SPARK_RANGE, SparkStore } from "./sparks";

/** Tower takes as many flags in one request. */
const AT_ONCE = 500;
/** Scrolling has to rest for as long before other flags are asked for. */
const REST_MS = 250;
/** How often the numbers are looked at by which a list is ordered. */
export const REORDER_MS = 10_000;

function useRested<T>(value: T): T {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), REST_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return rested;
}

/**
 * Keep the points of the flags in `visible` coming; with `all`, which a list needs that is ordered by them, read those of
 * all flags now and again. Both are ids joined by a space, so that the same flags are the same value.
 */
export function useSparks(visible: string, all: string | null): SparkStore {
  const store = useMemo(() => new SparkStore(), []);
  const rested = useRested(visible);
  const ids = useMemo(() => (rested === "" ? [] : rested.split(" ")), [rested]);
  const { phase } = useLiveState();
  useLiveNeed({ points: ids, everyMs: RESOLUTION_MS });

  const fill = useCallback(
    async (wanted: readonly string[], signal: AbortSignal) => {
      for (let from = 0; from < wanted.length; from += AT_ONCE) {
        const flags = wanted.slice(from, from + AT_ONCE);
        const body = { flags, range: SPARK_RANGE, resolution_ms: RESOLUTION_MS } as const;
        try {
          store.fill(dataOf(await api.POST("/timeseries", { body, signal })));
        } catch (error) {
          if (signal.aborted) return;
          store.failed(sentenceOf(error));
        }
      }
    },
    [store],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: after the connection was gone, points have been missed
  useEffect(() => {
    const leaving = new AbortController();
    void fill(
      ids.filter((id) => !store.has(id)),
      leaving.signal,
    );
    return () => leaving.abort();
  }, [store, fill, ids, phase]);
  useEffect(() => {
    if (all === null || all === "") return;
    const leaving = new AbortController();
    const read = () =>
      void fill(
        all.split(" ").filter((id) => !store.has(id)),
        leaving.signal,
      );
    read();
    const timer = setInterval(read, REORDER_MS);
    return () => {
      clearInterval(timer);
      leaving.abort();
    };
  }, [store, fill, all]);

  const take = useCallback((message: ServerMessage) => message.type === "points" && store.take(message), [store]);
  useLiveMessages(take as (message: ServerMessage) => void);
  return store;
}
