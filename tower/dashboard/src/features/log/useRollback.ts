import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, because, dataOf, ifMatch } from "@/api/client";
import { type Flag, flagQuery } from "@/features/flags/api";
import { useReason } from "@/shell/reason";

/** Make a flag as it was in `version`, if it still is as it was read as `from`; a 412 is thrown where it is not. */
export function useRollback(app: string, flag: string) {
  const queries = useQueryClient();
  const reasonFor = useReason();
  return useMutation({
    mutationFn: async ({ version, from }: { version: number; from: number }): Promise<Flag> => {
      const header = { ...ifMatch(from), ...because(await reasonFor(app)) };
      const rolled = dataOf(
        await api.POST("/apps/{app}/flags/{flag}/rollback", {
          params: { path: { app, flag }, header },
          body: { version },
        }),
      );
      queries.setQueryData(flagQuery(app, flag).queryKey, rolled);
      void queries.invalidateQueries({ queryKey: ["log"] });
      void queries.invalidateQueries({ queryKey: ["versions", app, flag] });
      return rolled;
    },
  });
}
