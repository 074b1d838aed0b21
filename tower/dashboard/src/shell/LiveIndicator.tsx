import { Tooltip } from "@mantine/core";
import { localMoment, useNow } from "@/components/times";
import { useLiveState } from "@/live/LiveProvider";
import styles from "./shell.module.css";

/** Whether the page moves by itself now, or since when it does not. */
export function LiveIndicator() {
  const { phase, lastLiveMs, detail } = useLiveState();
  const nowMs = useNow();
  const words = {
    live: "Live",
    connecting: "Connecting",
    behind: "Not following changes",
    gone: lastLiveMs === null ? "Not connected" : `Not live since ${localMoment(lastLiveMs, nowMs)}`,
  };
  const explanation =
    phase === "live" ? "What you see changes by itself." : `${detail ?? "No connection yet"}. Trying again.`;
  return (
    <Tooltip label={explanation}>
      <span
        role="status"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the explanation is for the keyboard as well
        tabIndex={0}
        className={`${styles.live} ${phase === "gone" ? styles.gone : ""}`}
        data-phase={phase}
      >
        <span className={styles.dot} aria-hidden />
        {words[phase]}
      </span>
    </Tooltip>
  );
}
