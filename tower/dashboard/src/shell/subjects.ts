import {
  IconBell,
  IconFlag,
  IconHistory,
  IconKey,
  IconLayoutDashboard,
  IconServer,
  IconUsersGroup,
} from "@tabler/icons-react";

/** The subjects of the menu; within an app they lead to its own pages. On a phone the bar has room for the `first`. */
export const SUBJECTS = [
  { name: "Overview", page: "", icon: IconLayoutDashboard, first: true },
  { name: "Flags", page: "flags", icon: IconFlag, first: true },
  { name: "Segments", page: "segments", icon: IconUsersGroup, first: false },
  { name: "Log", page: "log", icon: IconHistory, first: true },
  { name: "Alerts", page: "alerts", icon: IconBell, first: true },
  { name: "Sidecars", page: "sidecars", icon: IconServer, first: false },
  { name: "Keys", page: "keys", icon: IconKey, first: false },
] as const;
