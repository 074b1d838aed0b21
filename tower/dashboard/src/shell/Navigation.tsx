import { Menu, Tooltip, UnstyledButton } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import {
  IconBell,
  IconChevronsLeft,
  IconChevronsRight,
  IconDots,
  IconFlag,
  IconHistory,
  IconKey,
  IconLayoutDashboard,
  IconServer,
  IconSettings,
  IconUsersGroup,
} from "@tabler/icons-react";
import { Link, NavLink, useLocation } from "react-router";
import { inScope, useScope } from "./scope";
import styles from "./shell.module.css";

/** The subjects of the menu; within an app they lead to its own pages. On a phone the bar has room for the `first`. */
const SUBJECTS = [
  { name: "Overview", page: "", icon: IconLayoutDashboard, first: true },
  { name: "Flags", page: "flags", icon: IconFlag, first: true },
  { name: "Segments", page: "segments", icon: IconUsersGroup, first: false },
  { name: "Log", page: "log", icon: IconHistory, first: true },
  { name: "Alerts", page: "alerts", icon: IconBell, first: true },
  { name: "Sidecars", page: "sidecars", icon: IconServer, first: false },
  { name: "Keys", page: "keys", icon: IconKey, first: false },
] as const;

export function Navigation() {
  const app = useScope();
  const { pathname } = useLocation();
  const [narrow, setNarrow] = useLocalStorage({ key: "tailslide-narrow-menu", defaultValue: false });
  const entries = [
    ...SUBJECTS.map(({ page, ...entry }) => ({ ...entry, to: inScope(app, page), end: page === "" })),
    { name: "Settings", icon: IconSettings, to: "/settings", end: false, first: false },
  ];
  const others = entries.filter(({ first }) => !first);
  const within = others.find(({ to }) => pathname === to || pathname.startsWith(`${to}/`));
  return (
    <nav aria-label="Subjects" className={`${styles.side} ${narrow ? styles.narrow : ""}`}>
      {entries.map(({ name, icon: Icon, to, end, first }) => (
        <Tooltip key={name} label={name} position="right" disabled={!narrow}>
          <NavLink to={to} end={end} className={`${styles.link} ${first ? "" : styles.other}`}>
            <Icon size={18} aria-hidden />
            <span className={styles.name}>{name}</span>
          </NavLink>
        </Tooltip>
      ))}
      <Menu position="top-end" width={200}>
        <Menu.Target>
          <UnstyledButton
            className={`${styles.link} ${styles.more}`}
            aria-label={within === undefined ? "More subjects" : `More subjects; this is ${within.name}`}
            data-within={within !== undefined || undefined}
          >
            <IconDots size={18} aria-hidden />
            <span className={styles.name}>{within?.name ?? "More"}</span>
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          {others.map(({ name, icon: Icon, to }) => (
            <Menu.Item
              key={name}
              component={Link}
              to={to}
              h={44}
              leftSection={<Icon size={18} aria-hidden />}
              aria-current={within?.name === name ? "page" : undefined}
            >
              {name}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
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
