import { useRights } from "@/api/session";
import type { Flag } from "../api";
import { pressing } from "../switching";
import { useSwitch } from "../useSwitch";
import styles from "./table.module.css";

/** The switch of a flag in a row: what the team wants. What is true stands beside it, in the badge. */
export function RowSwitch({ flag }: { flag: Flag }) {
  const { mayEdit } = useRights();
  const { press, pending } = useSwitch(flag);
  const archived = flag.archived_at !== null;
  const may = mayEdit(flag.app) && !archived;
  const hint = archived
    ? "It is archived: no sidecar gets it."
    : may
      ? pressing(flag)
      : `You may look at the flags of ${flag.app}, not change them.`;
  return (
    <button
      type="button"
      role="switch"
      aria-checked={flag.active}
      aria-label={`${flag.key} in ${flag.app}`}
      aria-description={hint}
      aria-disabled={!may || pending}
      data-hint={hint}
      data-switch
      className={styles.switch}
      onClick={() => may && !pending && press()}
    />
  );
}
