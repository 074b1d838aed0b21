import type { RouteObject } from "react-router";

const log = async () => ({ Component: (await import("./LogPage")).LogPage });

export const routes: RouteObject[] = [
  { path: "/log", lazy: log },
  { path: "/apps/:app/log", lazy: log },
  { path: "/log/:entry", lazy: async () => ({ Component: (await import("./EntryPage")).EntryPage }) },
];
