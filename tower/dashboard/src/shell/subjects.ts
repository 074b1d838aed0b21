import {
  IconBell,
  IconFlag,
  IconHistory,
  IconKey,
  IconLayoutDashboard,
  IconServer,
  IconUsersGroup,
} from "@tabler/icons-react";

/** The subjects of the menu; within an app they lead to its own pages. */
export const SUBJECTS = [
  { name: "Overview", page: "", icon: IconLayoutDashboard },
  { name: "Flags", page: "flags", icon: IconFlag },
  { name: "Segments", page: "segments", icon: IconUsersGroup },
  { name: "Log", page: "log", icon: IconHistory },
  { name: "Alerts", page: "alerts", icon: IconBell },
  { name: "Sidecars", page: "sidecars", icon: IconServer },
  { name: "Keys", page: "keys", icon: IconKey },
] as const;
