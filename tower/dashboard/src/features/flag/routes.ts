import type { RouteObject } from "react-router";

export const routes: RouteObject[] = [
  {
    path: "/apps/:app/flags/:flag",
    lazy: async () => ({ Component: (await import("./FlagPage")).FlagPage }),
    children: [
      { index: true, lazy: async () => ({ Component: (await import("./targeting/TargetingPage")).TargetingPage }) },
      { path: "circuit", lazy: async () => ({ Component: (await import("./circuit/CircuitPage")).CircuitPage }) },
      { path: "log", lazy: async () => ({ Component: (await import("./FlagLogPage")).FlagLogPage }) },
      { path: "settings", lazy: async () => ({ Component: (await import("./settings/SettingsTab")).SettingsTab }) },
    ],
  },
];
