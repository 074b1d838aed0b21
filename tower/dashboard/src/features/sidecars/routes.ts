import type { RouteObject } from "react-router";

const lazy = async () => ({ Component: (await import("./SidecarsPage")).SidecarsPage });

export const routes: RouteObject[] = [
  { path: "/sidecars", lazy },
  { path: "/apps/:app/sidecars", lazy },
];
