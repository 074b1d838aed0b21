import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, dataOf, type Schemas } from "@/api/client";
import type { Circuit } from "../../editing/draft";

export type Preview = Schemas["PreviewOut"];
export type PreviewRange = "1h" | "24h";

/** What settings would have done on what is kept; nothing is changed by asking. */
export const previewQuery = (app: string, flag: string, circuit: Circuit, range: PreviewRange) => {
  const { reset_generation: _, local_guard = null, ...settings } = circuit;
  return queryOptions({
    queryKey: ["preview", app, flag, range, settings],
    queryFn: async ({ signal }): Promise<Preview> =>
      dataOf(
        await api.POST("/apps/{app}/flags/{flag}/circuit/preview", {
          params: { path: { app, flag } },
          body: { circuit: { ...settings, local_guard }, range },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 60_000,
  });
};
