import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, because, dataOf, ifMatch } from "@/api/client";
import { type Flag, flagQuery } from "@/features/flags/api";
import { useReason } from "@/shell/reason";

/** How a flag comes to its end, and back: archived, restored, deleted. */
export function useEnding({ app, key: flag }: Flag) {
  const queries = useQueryClient();
  const reasonFor = useReason();
  const path = { app, flag };
  const header = async () => ({ ...ifMatch(), ...because(await reasonFor(app)) });
  const taken = (changed: Flag): Flag => {
    queries.setQueryData(flagQuery(app, flag).queryKey, changed);
    void queries.invalidateQueries({ queryKey: ["flags"] });
    void queries.invalidateQueries({ queryKey: ["log"] });
    return changed;
  };
  /** `force`: though something has asked for it in the last 7 days. */
  const archive = useMutation({
    mutationFn: async ({ force }: { force: boolean }) =>
      taken(
        dataOf(
          await api.POST("/apps/{app}/flags/{flag}/archive", {
            params: { path, header: await header() },
            body: { force },
          }),
        ),
      ),
  });
  const restore = useMutation({
    mutationFn: async () =>
      taken(dataOf(await api.POST("/apps/{app}/flags/{flag}/restore", { params: { path, header: await header() } }))),
  });
  const remove = useMutation({
    mutationFn: async () => {
      await api.DELETE("/apps/{app}/flags/{flag}", { params: { path, header: await header() } });
      void queries.invalidateQueries({ queryKey: ["flags"] });
      void queries.invalidateQueries({ queryKey: ["log"] });
    },
  });
  return { archive, restore, remove };
}
