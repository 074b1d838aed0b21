import { NavLink } from "react-router";
import { useRights } from "@/api/session";
import styles from "./settings.module.css";

const TABS = [
  { name: "Account", path: "account", admin: false },
  { name: "Users", path: "users", admin: true },
  { name: "Invitations", path: "invitations", admin: true },
  { name: "Viewer links", path: "links", admin: true },
  { name: "API tokens", path: "tokens", admin: false },
  { name: "About", path: "about", admin: false },
] as const;

/** The pages of the settings; those for admins are named to admins only. */
export function SettingsTabs() {
  const { mayAdmin } = useRights();
  return (
    <nav aria-label="Settings" className={styles.tabs}>
      {TABS.filter(({ admin }) => !admin || mayAdmin()).map(({ name, path }) => (
        <NavLink key={path} to={`/settings/${path}`} className={styles.tab}>
          {name}
        </NavLink>
      ))}
    </nav>
  );
}
