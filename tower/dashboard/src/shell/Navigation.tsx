import { Tooltip, UnstyledButton } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { IconChevronsLeft, IconChevronsRight, IconSettings } from "@tabler/icons-react";
import { NavLink } from "react-router";
import { inScope, useScope } from "./scope";
import styles from "./shell.module.css";
import { SUBJECTS } from "./subjects";

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
