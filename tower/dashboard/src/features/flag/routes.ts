import type { RouteObject } from "react-router";

export const routes: RouteObject[] = [
  {
    path: "/new-flag",
    lazy: async () => ({ Component: (await import("./create/NewFlagPage")).NewFlagAnywherePage }),
  },
  {
    path: "/apps/:app/new-flag",
    lazy: async () => ({ Component: (await import("./create/NewFlagPage")).NewFlagPage }),
  },
  {
    path: "/apps/:app/flags/:flag/duplicate",
    lazy: async () => ({ Component: (await import("./create/DuplicatePage")).DuplicatePage }),
  },
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
