import type { RouteObject } from "react-router";

/** Pages for those who are not logged in. */
export const routes: RouteObject[] = [
  { path: "/login", lazy: async () => ({ Component: (await import("./LoginPage")).LoginPage }) },
];
