import { Menu, Tooltip, UnstyledButton } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { IconChevronsLeft, IconChevronsRight, IconDots, IconSettings } from "@tabler/icons-react";
import { Link, NavLink, useLocation } from "react-router";
import { inScope, useScope } from "./scope";
import styles from "./shell.module.css";
import { SUBJECTS } from "./subjects";

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
        aria-label={narrow ? "Expand the menu" : "Collapse the menu to its icons"}
      >
        {narrow ? <IconChevronsRight size={18} /> : <IconChevronsLeft size={18} />}
        <span className={styles.name}>{narrow ? "Expand" : "Collapse"}</span>
      </UnstyledButton>
    </nav>
  );
}
