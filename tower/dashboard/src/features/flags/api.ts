import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, because, dataOf, ifMatch, type Schemas } from "@/api/client";
import { useReason } from "@/shell/reason";
import { intoLists } from "./list";

export type Flag = Schemas["FlagOut"];
export type FlagChange = Schemas["FlagChange"];

/** A flag as the live connection names it. */
export const idOf = ({ app, key }: { app: string; key: string }): string => `${app}.${key}`;

export const flagQuery = (app: string, flag: string) =>
  queryOptions({
    queryKey: ["flag", app, flag],
    queryFn: async (): Promise<Flag> =>
      dataOf(await api.GET("/apps/{app}/flags/{flag}", { params: { path: { app, flag } } })),
  });

/** How a flag is changed; each asks for a reason where the app wants one, and gives the flag as it is afterwards. */
export function useFlagChanges({ app, key: flag }: { app: string; key: string }) {
  const queries = useQueryClient();
  const reasonFor = useReason();
  const path = { app, flag };
  const taken = (changed: Flag): Flag => {
    queries.setQueryData(flagQuery(app, flag).queryKey, changed);
    intoLists(queries, changed);
    void queries.invalidateQueries({ queryKey: ["log"] });
    return changed;
  };
  const header = async (version?: number) => ({ ...ifMatch(version), ...because(await reasonFor(app)) });

  /** Change some fields of what was read as `version`; a 412 is thrown when somebody else was faster. */
  const change = useMutation({
    mutationFn: async ({ body, version }: { body: FlagChange; version?: number }) =>
      taken(
        dataOf(await api.PATCH("/apps/{app}/flags/{flag}", { params: { path, header: await header(version) }, body })),
      ),
  });
  /** Turn it on or off, whatever else has changed meanwhile. Turning it on closes its circuit. */
  const toggle = useMutation({
    mutationFn: async (active: boolean) =>
      taken(
        dataOf(
          await api.POST("/apps/{app}/flags/{flag}/toggle", {
            params: { path, header: await header() },
            body: { active },
          }),
        ),
      ),
  });
  /** Let users back in now: close the circuit. */
  const reset = useMutation({
    mutationFn: async () =>
      taken(
        dataOf(await api.POST("/apps/{app}/flags/{flag}/circuit/reset", { params: { path, header: await header() } })),
      ),
  });
  return { change, toggle, reset };
}
