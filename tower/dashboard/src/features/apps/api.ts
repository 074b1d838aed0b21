import { queryOptions } from "@tanstack/react-query";
import { api, dataOf, type Schemas } from "@/api/client";

export type App = Schemas["AppOut"];

/** All apps that the one who looks may see, archived ones left out. */
export const appsQuery = queryOptions({
  queryKey: ["apps"],
  queryFn: async (): Promise<App[]> => {
    const apps: App[] = [];
    let after: string | undefined;
    do {
      const page = dataOf(await api.GET("/apps", { params: { query: { limit: 500, after } } }));
      apps.push(...page.apps);
      after = page.next ?? undefined;
    } while (after !== undefined);
    return apps;
  },
});

export const appQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app],
    queryFn: async (): Promise<App> => dataOf(await api.GET("/apps/{app}", { params: { path: { app } } })),
  });
