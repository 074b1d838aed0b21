import { NavLink } from "react-router";
import { paths } from "@/shell/paths";
import { type FieldTab, tabOf } from "./editing/problems";
import type { EditingState } from "./editing/useEditing";
import styles from "./flag.module.css";

/** The tabs of a flag's page; a dot marks those with unsaved changes, and words say so to screen readers. */
export function FlagTabs({ app, flag, state }: { app: string; flag: string; state: EditingState }) {
  const unsaved = new Set(state.changed.map(tabOf));
  const tabs: { name: string; to: string; tab: FieldTab | null }[] = [
    { name: "Targeting", to: paths.flag(app, flag), tab: "targeting" },
    { name: "Circuit", to: paths.circuit(app, flag), tab: "circuit" },
    { name: "Log", to: paths.flagLog(app, flag), tab: null },
    { name: "Settings", to: paths.flagSettings(app, flag), tab: "settings" },
  ];
  return (
    <nav aria-label="Parts of the flag" className={styles.tabs}>
      {tabs.map(({ name, to, tab }) => (
        <NavLink key={name} to={to} end className={styles.tab} preventScrollReset>
          {name}
          {tab !== null && unsaved.has(tab) && (
            <span className={styles.unsaved} role="img" aria-label="with unsaved changes" />
          )}
        </NavLink>
      ))}
    </nav>
  );
}
