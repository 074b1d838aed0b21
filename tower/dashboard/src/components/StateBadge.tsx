import {
  IconBolt,
  IconCircle,
  IconCircleFilled,
  IconHandStop,
  IconLoader2,
  IconQuestionMark,
  IconStairsUp,
} from "@tabler/icons-react";
import type { Schemas } from "@/api/client";
import { useLiveState } from "@/live/LiveProvider";
import styles from "./state.module.css";

type State = Schemas["FlagStateOut"];

const ICONS: Readonly<Record<State["state"], typeof IconBolt>> = {
  on: IconCircleFilled,
  off: IconCircle,
  open: IconBolt,
  recovering: IconStairsUp,
  held_off: IconHandStop,
  arriving: IconLoader2,
  unknown: IconQuestionMark,
};

/** A flag's state, always as word, icon and colour; dashed while it may be old. */
export function StateBadge({ state }: { state: Pick<State, "state" | "word"> }) {
  const stale = useLiveState().phase === "gone";
  const Icon = ICONS[state.state];
  return (
    <span className={`${styles.badge} ${styles[state.state]} ${stale ? styles.stale : ""}`} data-state={state.state}>
      <Icon size={14} aria-hidden />
      {state.word}
    </span>
  );
}
