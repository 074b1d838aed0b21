import { Button, Center, Text } from "@mantine/core";
import { useIntersection } from "@mantine/hooks";
import { IconArrowUp } from "@tabler/icons-react";
import { type ReactNode, type RefObject, useEffect, useMemo, useRef, useState } from "react";
import { counted } from "@/components/numbers";
import { localDay, useNow } from "@/components/times";
import { ErrorState, LoadingState } from "@/components/views";
import type { useTimeline } from "./api";
import { EntryItem } from "./EntryItem";
import styles from "./log.module.css";
import { byDay } from "./pages";

interface TimelineProps {
  timeline: ReturnType<typeof useTimeline>;
  /** The address of the same log, of one actor only. */
  byActor: (actor: string) => string;
  /** What is shown where there is no entry. */
  empty: ReactNode;
}

/** Entries by days, newest first. More are read as one scrolls; new ones appear on top unless one reads further down. */
export function Timeline({ timeline, byActor, empty }: TimelineProps) {
  const { entries, isPending, isError, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = timeline;
  const list = useRef<HTMLDivElement>(null);
  const held = useHeld(list, entries[0]?.id ?? 0);
  const shown = useMemo(() => (held === null ? entries : entries.filter(({ id }) => id <= held)), [entries, held]);
  const days = useMemo(() => byDay(shown), [shown]);
  const waiting = entries.length - shown.length;
  const { ref: end, entry: seen } = useIntersection({ rootMargin: "600px" });
  const near = seen?.isIntersecting === true;
  useEffect(() => {
    if (near && hasNextPage && !isFetchingNextPage && !isError) void fetchNextPage();
  }, [near, hasNextPage, isFetchingNextPage, isError, fetchNextPage]);

  if (isPending) return <LoadingState rows={8} height={56} />;
  if (entries.length === 0 && isError) return <ErrorState error={error} retry={() => void refetch()} />;
  if (entries.length === 0 && !hasNextPage) return empty;
  const showWaiting = () => {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    list.current?.scrollIntoView({ block: "start" });
  };
  return (
    <div ref={list} style={{ scrollMarginTop: 120 }}>
      <div className={styles.pill} aria-live="polite">
        {waiting > 0 && (
          <Button size="xs" radius="xl" leftSection={<IconArrowUp size={14} />} onClick={showWaiting}>
            {counted(waiting, "new entry", "new entries")}
          </Button>
        )}
      </div>
      {days.map((day) => (
        <section key={day.key}>
          <DayHeading atMs={day.atMs} />
          <ol className={styles.entries}>
            {day.entries.map((entry) => (
              <EntryItem key={entry.id} entry={entry} byActor={byActor} />
            ))}
          </ol>
        </section>
      ))}
      {isError && <ErrorState error={error} retry={() => void fetchNextPage()} />}
      <Center ref={end} py="md">
        {hasNextPage ? (
          <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Load more
          </Button>
        ) : (
          <Text size="sm" c="var(--quiet)">
            There is nothing earlier.
          </Text>
        )}
      </Center>
    </div>
  );
}

function DayHeading({ atMs }: { atMs: number }) {
  const nowMs = useNow();
  const today = localDay(atMs) === localDay(nowMs);
  return (
    <h2 className={styles.day}>
      {today && "Today · "}
      {localDay(atMs)}
    </h2>
  );
}

/**
 * The newest entry that is shown while somebody reads further down, or uses an entry; null where all are shown. What
 * comes meanwhile would move what is read.
 */
function useHeld(list: RefObject<HTMLDivElement | null>, newest: number): number | null {
  const [held, setHeld] = useState<number | null>(null);
  const latest = useRef(newest);
  latest.current = newest;
  useEffect(() => {
    const look = () => {
      const element = list.current;
      if (element === null) return;
      const reading = element.getBoundingClientRect().top < 0 || element.contains(document.activeElement);
      setHeld((now) => (reading ? (now ?? latest.current) : null));
    };
    window.addEventListener("scroll", look, { passive: true });
    document.addEventListener("focusin", look);
    document.addEventListener("focusout", look);
    return () => {
      window.removeEventListener("scroll", look);
      document.removeEventListener("focusin", look);
      document.removeEventListener("focusout", look);
    };
  }, [list]);
  return held;
}
