import { Group, Text } from "@mantine/core";
import { IconCheck, IconClockPause, IconDownload } from "@tabler/icons-react";
import { Ago } from "@/components/Moment";
import { useLiveState } from "@/live/LiveProvider";
import type { Sidecar } from "./api";
import styles from "./sidecars.module.css";

const LOOKS = {
  current: { word: "Up to date", icon: IconCheck },
  behind: { word: "Behind", icon: IconDownload },
  silent: { word: "Silent", icon: IconClockPause },
} as const;

/** Whether a sidecar is heard from and up to date, as word and icon; dashed while that may be old. */
export function SidecarStatus({ sidecar }: { sidecar: Pick<Sidecar, "status"> }) {
  const stale = useLiveState().phase === "gone";
  const { word, icon: Icon } = LOOKS[sidecar.status];
  return (
    <span className={`${styles.status} ${styles[sidecar.status]} ${stale ? styles.stale : ""}`}>
      <Icon size={14} aria-hidden />
      {word}
    </span>
  );
}

/** When a sidecar was last heard from. It says every ten seconds that it is there, of which pages are not told. */
export function LastHeard({ sidecar }: { sidecar: Sidecar }) {
  return sidecar.status === "silent" ? <Ago at={sidecar.last_heard_at} /> : <>In the last 30 s</>;
}

/** What a sidecar answers from. */
export function Source({ sidecar: { source, revision, age_ms, last_heard_at } }: { sidecar: Sidecar }) {
  if (source === null) return <Text c="var(--quiet)">Knows no flags yet</Text>;
  return (
    <Group gap={6}>
      <span>Revision {revision}</span>
      {source === "snapshot" ? (
        <Text span fw={600}>
          out of its snapshot file
          {age_ms !== null && (
            <>
              , <Ago at={Date.parse(last_heard_at) - age_ms} suffix=" old" />
            </>
          )}
        </Text>
      ) : (
        <Text span c="var(--quiet)">
          from NATS
        </Text>
      )}
    </Group>
  );
}
