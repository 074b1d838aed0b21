import { useRights } from "@/api/session";
import { ofToggling } from "@/features/flag/switch/consequences";
import { useSwitching } from "@/features/flag/switch/useSwitching";
import { type Flag, idOf } from "../api";
import type { SparkStore } from "./sparks";
import styles from "./table.module.css";

/**
 * The switch of a flag in a row: what the team wants. What is true stands beside it, in the badge. What pressing it does
 * is said when it is pointed at, and it can be undone afterwards.
 */
export function RowSwitch({ flag, store }: { flag: Flag; store: SparkStore }) {
  const { mayEdit } = useRights();
  const { toggle, busy } = useSwitching(flag);
  const archived = flag.archived_at !== null;
  const may = mayEdit(flag.app) && !archived;
  const hint = () => {
    if (archived) return "It is archived: no sidecar gets it.";
    if (!may) return `You may look at the flags of ${flag.app}, and not change them: that takes the role of an editor.`;
    const callsPerS = store.measured(idOf(flag))?.callsPerS ?? null;
    return ofToggling(flag, { callsPerMinute: callsPerS === null ? null : callsPerS * 60 });
  };
  const said = hint();
  return (
    <button
      type="button"
      role="switch"
      aria-checked={flag.active}
      aria-label={`${flag.key} in ${flag.app}`}
      aria-description={said}
      aria-disabled={!may}
      aria-busy={busy}
      data-hint={said}
      data-switch
      className={styles.switch}
      onClick={() => may && !busy && void toggle()}
    />
  );
}
