import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, because, dataOf, ifMatch, type Schemas } from "@/api/client";
import { useReason } from "@/shell/reason";

export type App = Schemas["AppOut"];
export type AppCreate = Schemas["AppCreate"];
export type AppChange = Schemas["AppChange"];

async function allApps(archived: "false" | "true"): Promise<App[]> {
  const apps: App[] = [];
  let after: string | undefined;
  do {
    const page = dataOf(await api.GET("/apps", { params: { query: { limit: 500, after, archived } } }));
    apps.push(...page.apps);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return apps;
}

/** All apps that the one who looks may see, archived ones left out. */
export const appsQuery = queryOptions({ queryKey: ["apps"], queryFn: () => allApps("false") });

/** The apps that are archived. */
export const archivedAppsQuery = queryOptions({ queryKey: ["apps", "archived"], queryFn: () => allApps("true") });

export const appQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app],
    queryFn: async (): Promise<App> => dataOf(await api.GET("/apps/{app}", { params: { path: { app } } })),
  });

/** Make an app. */
export function useNewApp() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (body: AppCreate): Promise<App> => dataOf(await api.POST("/apps", { body })),
    onSuccess: (app) => {
      queries.setQueryData(appQuery(app.key).queryKey, app);
      void queries.invalidateQueries({ queryKey: ["apps"] });
    },
  });
}

/** How an app is changed; each asks for a reason where the app wants one. */
export function useAppChanges(app: App) {
  const queries = useQueryClient();
  const reasonFor = useReason();
  const path = { app: app.key };
  const taken = (changed: App): App => {
    queries.setQueryData(appQuery(app.key).queryKey, changed);
    for (const shown of ["apps", "flags", "status", "log"]) void queries.invalidateQueries({ queryKey: [shown] });
    return changed;
  };
  const header = async (version: number) => ({ ...ifMatch(version), ...because(await reasonFor(app.key)) });
  /** Change some fields of what was read as `version`; a 412 is thrown when somebody else was faster. */
  const change = useMutation({
    mutationFn: async ({ body, version }: { body: AppChange; version: number }) =>
      taken(dataOf(await api.PATCH("/apps/{app}", { params: { path, header: await header(version) }, body }))),
  });
  /** Take its flags from its sidecars; refused while something asks for them, unless forced. */
  const archive = useMutation({
    mutationFn: async (force: boolean) =>
      taken(
        dataOf(
          await api.POST("/apps/{app}/archive", {
            params: { path, header: await header(app.version) },
            body: { force },
          }),
        ),
      ),
  });
  const restore = useMutation({
    mutationFn: async () =>
      taken(dataOf(await api.POST("/apps/{app}/restore", { params: { path, header: await header(app.version) } }))),
  });
  /** Delete it for good, with all that it has. */
  const remove = useMutation({
    mutationFn: async () => {
      await api.DELETE("/apps/{app}", { params: { path, header: await header(app.version) } });
      for (const shown of ["apps", "flags", "log"]) void queries.invalidateQueries({ queryKey: [shown] });
    },
  });
  return { change, archive, restore, remove };
}
