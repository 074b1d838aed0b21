import { queryOptions } from "@tanstack/react-query";
import { api, dataOf, type Schemas } from "@/api/client";

export type Status = Schemas["StatusOut"];
export type FlagInTrouble = Schemas["FlagInTrouble"];

/** Nothing tells of troubles of Tailslide itself, so they are asked for. */
const ASKED_EVERY_MS = 15_000;
/** While there is one, so that its end is seen soon. */
const ASKED_IN_TROUBLE_MS = 3_000;

/** What needs attention, of an app or of all apps. */
export const statusQuery = (app: string | null) =>
  queryOptions({
    queryKey: ["status", app],
    queryFn: async (): Promise<Status> =>
      dataOf(await api.GET("/status", { params: { query: app === null ? {} : { app } } })),
    refetchInterval: ({ state: { data, status } }) =>
      status === "error" || (data?.troubles.length ?? 0) > 0 ? ASKED_IN_TROUBLE_MS : ASKED_EVERY_MS,
  });
