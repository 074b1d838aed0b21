import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { useRights } from "@/api/session";
import { Sentence } from "@/components/Sentence";
import { StateBadge } from "@/components/StateBadge";
import { StateAction } from "@/features/flag/switch/FlagSwitch";
import { flagQuery } from "@/features/flags/api";
import { paths } from "@/shell/paths";
import styles from "./attention.module.css";
import type { FlagInTrouble } from "./status";

/** A flag whose users do not get what was asked for: what is true, why, what comes next, and one thing to do. */
export function TroubleCard({ trouble, withApp }: { trouble: FlagInTrouble; withApp: boolean }) {
  const { app, key, name } = trouble;
  const { mayEdit } = useRights();
  const { data: flag } = useQuery(flagQuery(app, key));
  const state = flag?.state ?? trouble.state;
  return (
    <article className={`${styles.card} ${styles[state.settled] ?? ""}`} aria-label={`${key} in ${app}`}>
      <div className={styles.head}>
        <h3 className={styles.title}>
          <Link to={paths.circuit(app, key)}>{name}</Link>
          {withApp && <span> in {app}</span>}
        </h3>
        <StateBadge state={state} />
      </div>
      <Sentence state={state} className={styles.sentence} />
      {mayEdit(app) && (
        <div className={styles.action}>{flag !== undefined && <StateAction flag={flag} explained />}</div>
      )}
    </article>
  );
}
