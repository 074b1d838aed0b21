import type { RouteObject } from "react-router";

export const routes: RouteObject[] = [
  { path: "/apps", lazy: async () => ({ Component: (await import("./AppsPage")).AppsPage }) },
  { path: "/new-app", lazy: async () => ({ Component: (await import("./NewAppPage")).NewAppPage }) },
  { path: "/apps/:app", lazy: async () => ({ Component: (await import("./AppPage")).AppPage }) },
  { path: "/apps/:app/edit", lazy: async () => ({ Component: (await import("./EditAppPage")).EditAppPage }) },
];
