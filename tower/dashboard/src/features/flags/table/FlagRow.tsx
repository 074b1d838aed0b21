import { memo } from "react";
import { Link } from "react-router";
import { Sentence } from "@/components/Sentence";
import { StateBadge } from "@/components/StateBadge";
import { paths } from "@/shell/paths";
import { type Flag, idOf } from "../api";
import { Arrived, Changed, LiveNumber, LiveWords, RolloutBar } from "./cells";
import { RowSwitch } from "./Switch";
import type { SparkStore } from "./sparks";
import styles from "./table.module.css";

interface RowProps {
  flag: Flag;
  store: SparkStore;
  /** Whether the app stands beside the key: not where all flags are of one app. */
  withApp: boolean;
  mayEdit: boolean;
}

function Name({ flag, withApp }: { flag: Flag; withApp: boolean }) {
  return (
    <>
      <Link to={paths.flag(flag.app, flag.key)} className={styles.name} data-open>
        {flag.name}
      </Link>
      <span className={styles.key}>
        {withApp && `${flag.app} / `}
        {flag.key}
        {flag.tags.map((tag) => (
          <span key={tag} className={styles.tag}>
            {tag}
          </span>
        ))}
      </span>
    </>
  );
}

/** A flag as a row of the table. */
export const FlagRow = memo(function FlagRow({ flag, store, withApp, mayEdit }: RowProps) {
  const id = idOf(flag);
  return (
    <>
      <td className={styles.switchCell}>
        <RowSwitch flag={flag} store={store} mayEdit={mayEdit} />
      </td>
      <th scope="row" className={styles.nameCell}>
        <Name flag={flag} withApp={withApp} />
      </th>
      <td>
        <StateBadge state={flag.state} />
      </td>
      <td>
        <RolloutBar flag={flag} />
      </td>
      <td className={styles.sparkCell}>
        <LiveNumber store={store} id={id} of="calls" />
      </td>
      <td className={styles.sparkCell}>
        <LiveNumber store={store} id={id} of="errors" />
      </td>
      <td className={styles.arrivedCell}>
        <Arrived flag={flag} />
      </td>
      <td className={styles.ownerCell} title={flag.owner ?? undefined}>
        {flag.owner ?? <span className={styles.quiet}>–</span>}
      </td>
      <td className={styles.changedCell}>
        <Changed at={flag.updated_at} />
      </td>
    </>
  );
});

/** A flag as a card, with its sentence, where a row is too wide. */
export const FlagCard = memo(function FlagCard({ flag, store, withApp, mayEdit }: RowProps) {
  return (
    <td className={styles.card}>
      <div className={styles.cardHead}>
        <div className={styles.nameCell}>
          <Name flag={flag} withApp={withApp} />
        </div>
        <RowSwitch flag={flag} store={store} mayEdit={mayEdit} />
      </div>
      <div className={styles.cardState}>
        <StateBadge state={flag.state} />
        <LiveWords store={store} flag={flag} />
      </div>
      <Sentence state={flag.state} main size="sm" />
    </td>
  );
});
