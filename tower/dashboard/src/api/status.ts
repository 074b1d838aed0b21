import { queryOptions } from "@tanstack/react-query";
import { api, dataOf } from "./client";

/** What needs attention, of an app or of all: `null`. */
export const statusQuery = (app: string | null) =>
  queryOptions({
    queryKey: ["status", app],
    queryFn: async () => dataOf(await api.GET("/status", { params: { query: app === null ? {} : { app } } })),
  });
