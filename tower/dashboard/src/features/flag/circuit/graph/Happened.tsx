import { Collapse, Text, UnstyledButton } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { Moment } from "@/components/Moment";
import { counted } from "@/components/numbers";
import { localMoment } from "@/components/times";
import type { Mark } from "./bands";
import styles from "./graph.module.css";
import { MarkIcon } from "./Ribbon";

/** The marks of the graph as a list, for those who read it and for those who cannot point at it. */
export function Happened({ marks, omitted, nowMs }: { marks: readonly Mark[]; omitted: boolean; nowMs: number }) {
  const [unfolded, setUnfolded] = useLocalStorage({
    key: "tailslide-graph-happened",
    defaultValue: false,
    getInitialValueInEffect: false,
  });
  const latest = marks[0];
  return (
    <div>
      <UnstyledButton className={styles.fold} aria-expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
        {unfolded ? <IconChevronDown size={14} aria-hidden /> : <IconChevronRight size={14} aria-hidden />}
        What happened in this time
        <Text span size="sm" c="var(--quiet)">
          {latest === undefined
            ? "nothing"
            : `${counted(marks.length, "entry", "entries")}, the last at ${localMoment(Date.parse(latest.at), nowMs)}`}
        </Text>
      </UnstyledButton>
      <Collapse expanded={unfolded} transitionDuration={0}>
        {unfolded && (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keyboard
          <ol className={styles.happened} tabIndex={0} aria-label="What happened in this time, the latest first">
            {marks.map((mark) => (
              <li key={mark.id}>
                <Moment at={mark.at} />
                <span>
                  <MarkIcon mark={mark} /> {mark.sentence}
                </span>
              </li>
            ))}
            {marks.length === 0 && <li>Nobody changed the flag, and its circuit did not move.</li>}
            {omitted && <li>There is more: only the latest {marks.length} are shown.</li>}
          </ol>
        )}
      </Collapse>
    </div>
  );
}
