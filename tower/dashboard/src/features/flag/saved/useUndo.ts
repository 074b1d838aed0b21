import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { api, because, dataOf, ifMatch } from "@/api/client";
import { ProblemError, sentenceOf } from "@/api/problem";
import { flagQuery } from "@/features/flags/api";
import { intoLists } from "@/features/flags/list";
import { GivenUp, useReason } from "@/shell/reason";
import type { Saved } from "../editing/useEditing";

/**
 * Take a change back by setting the flag to the version before it. It is refused when somebody has changed the flag
 * since, because that would be taken back as well. Gives the flag before and after, or null where it was not done.
 */
export function useUndo(): (saved: Saved) => Promise<Saved | null> {
  const queries = useQueryClient();
  const reasonFor = useReason();
  return async ({ before, after }) => {
    const path = { app: after.app, flag: after.key };
    try {
      const header = { ...ifMatch(after.version), ...because(await reasonFor(after.app)) };
      const body = { version: before.version };
      const flag = dataOf(await api.POST("/apps/{app}/flags/{flag}/rollback", { params: { path, header }, body }));
      queries.setQueryData(flagQuery(flag.app, flag.key).queryKey, flag);
      intoLists(queries, flag);
      void queries.invalidateQueries({ queryKey: ["log"] });
      return { before: after, after: flag };
    } catch (error) {
      if (error instanceof GivenUp) return null;
      const changedSince = error instanceof ProblemError && error.stale;
      notifications.show({
        color: "gray",
        title: "Not undone",
        message: changedSince
          ? "The flag was changed again since, and undoing would take that back as well. The log shows both changes, and can go back to any version."
          : sentenceOf(error),
        autoClose: 10_000,
      });
      return null;
    }
  };
}
