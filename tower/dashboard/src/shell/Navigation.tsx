import { Tooltip, UnstyledButton } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import {
  IconBell,
  IconChevronsLeft,
  IconChevronsRight,
  IconFlag,
  IconHistory,
  IconKey,
  IconLayoutDashboard,
  IconServer,
  IconSettings,
  IconUsersGroup,
} from "@tabler/icons-react";
import { NavLink } from "react-router";
import { inScope, useScope } from "./scope";
import styles from "./shell.module.css";

/** The subjects of the menu; within an app they lead to its own pages. */
const SUBJECTS = [
  { name: "Overview", page: "", icon: IconLayoutDashboard },
  { name: "Flags", page: "flags", icon: IconFlag },
  { name: "Segments", page: "segments", icon: IconUsersGroup },
  { name: "Log", page: "log", icon: IconHistory },
  { name: "Alerts", page: "alerts", icon: IconBell },
  { name: "Sidecars", page: "sidecars", icon: IconServer },
  { name: "Keys", page: "keys", icon: IconKey },
] as const;

export function Navigation() {
  const app = useScope();
  const [narrow, setNarrow] = useLocalStorage({ key: "tailslide-narrow-menu", defaultValue: false });
  const entries = [
    ...SUBJECTS.map(({ name, page, icon }) => ({ name, icon, to: inScope(app, page), end: page === "" })),
    { name: "Settings", icon: IconSettings, to: "/settings", end: false },
  ];
  return (
    <nav aria-label="Subjects" className={`${styles.side} ${narrow ? styles.narrow : ""}`}>
      {entries.map(({ name, icon: Icon, to, end }) => (
        <Tooltip key={name} label={name} position="right" disabled={!narrow}>
          <NavLink to={to} end={end} className={styles.link}>
            <Icon size={18} aria-hidden />
            <span className={styles.name}>{name}</span>
          </NavLink>
        </Tooltip>
      ))}
      <UnstyledButton
        className={`${styles.link} ${styles.fold}`}
        onClick={() => setNarrow(!narrow)}
        aria-label={narrow ? "Show the names of the menu" : "Show only the icons of the menu"}
      >
        {narrow ? <IconChevronsRight size={18} /> : <IconChevronsLeft size={18} />}
        <span className={styles.name}>Collapse</span>
      </UnstyledButton>
    </nav>
  );
}
