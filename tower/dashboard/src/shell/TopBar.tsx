import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { appQuery } from "@/features/apps/api";
import { AppPicker } from "./AppPicker";
import { SearchButton } from "./commands/SearchButton";
import { LiveIndicator } from "./LiveIndicator";
import { PersonMenu } from "./PersonMenu";
import { useScope } from "./scope";
import styles from "./shell.module.css";

export function TopBar() {
  const app = useScope();
  const { data } = useQuery({ ...appQuery(app ?? ""), enabled: app !== null });
  return (
    <header className={`${styles.top} ${isProduction(data?.environment) ? styles.production : ""}`}>
      <Link to="/" className={styles.brand} aria-label="Tailslide: overview of all apps">
        <img src="/favicon.svg" alt="" width={22} height={22} />
        <span className={styles.brandName}>Tailslide</span>
      </Link>
      <AppPicker app={app} environment={data?.environment ?? null} />
      <SearchButton />
      <LiveIndicator />
      <PersonMenu />
    </header>
  );
}

/** Production looks different from everything else, by a coloured edge and by its name. */
export function isProduction(environment: string | null | undefined): boolean {
  return /^prod(uction)?$/i.test(environment ?? "");
}
