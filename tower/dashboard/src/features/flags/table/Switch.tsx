import { type RefObject, useEffect, useRef, useState } from "react";
import { ofToggling } from "@/features/flag/switch/consequences";
import { useSwitching } from "@/features/flag/switch/useSwitching";
import { type Flag, idOf } from "../api";
import type { SparkStore } from "./sparks";
import styles from "./table.module.css";

/**
 * The switch of a flag in a row: what the team wants. What is true stands beside it, in the badge. What pressing it does
 * is said when it is pointed at, and it can be undone afterwards.
 */
export function RowSwitch({ flag, store, mayEdit }: { flag: Flag; store: SparkStore; mayEdit: boolean }) {
  /** What switching takes is there from the first press on: rows that scroll by do without. */
  const [pressed, setPressed] = useState(false);
  const toggle = useRef<(() => void) | null>(null);
  const archived = flag.archived_at !== null;
  const may = mayEdit && !archived;
  const hint = () => {
    if (archived) return "It is archived: no sidecar gets it.";
    if (!may) return `You can see the flags of ${flag.app} but not change them: that takes the editor role.`;
    const callsPerS = store.measured(idOf(flag))?.callsPerS ?? null;
    return ofToggling(flag, callsPerS === null ? null : callsPerS * 60);
  };
  const said = hint();
  const press = () => {
    if (!may) return;
    if (toggle.current === null) setPressed(true);
    else toggle.current();
  };
  return (
    <>
      <button
        type="button"
        role="switch"
        aria-checked={flag.active}
        aria-label={`${flag.key} in ${flag.app}`}
        aria-description={said}
        aria-disabled={!may}
        data-hint={said}
        data-switch
        className={styles.switch}
        onClick={press}
      />
      {pressed && <Switching flag={flag} toggle={toggle} />}
    </>
  );
}

/** Switches once when it comes, for the press that has made it, and afterwards when it is told to. */
function Switching({ flag, toggle }: { flag: Flag; toggle: RefObject<(() => void) | null> }) {
  const switching = useSwitching(flag);
  const first = useRef(true);
  useEffect(() => {
    toggle.current = () => {
      if (!switching.busy) void switching.toggle();
    };
    if (first.current) toggle.current();
    first.current = false;
  });
  return null;
}
