import type { RouteObject } from "react-router";

const list = async () => ({ Component: (await import("./FlagsPage")).FlagsPage });

export const routes: RouteObject[] = [
  { path: "/flags", lazy: list },
  { path: "/apps/:app/flags", lazy: list },
];
