import type { RouteObject } from "react-router";

export const routes: RouteObject[] = [
  { path: "/keys", lazy: async () => ({ Component: (await import("./AllKeysPage")).AllKeysPage }) },
  { path: "/apps/:app/keys", lazy: async () => ({ Component: (await import("./KeysPage")).KeysPage }) },
];
