import { Alert, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { count } from "@/components/numbers";
import { LoadingState, QueryView } from "@/components/views";
import { idOf } from "@/features/flags/api";
import { useLiveNeed } from "@/live/LiveProvider";
import styles from "./attention.module.css";
import { type Status, statusQuery } from "./status";
import { TroubleCard } from "./TroubleCard";

/** The sentences of so many flags are kept moving each second; Tower takes no more. */
const MOVING = 20;

/**
 * What stands below the first thing to see. It is read at once and shown when it is known how much stands above it, so
 * that nothing jumps.
 */
export function BelowAttention({ app, children }: { app: string | null; children: ReactNode }) {
  const { isPending } = useQuery(statusQuery(app));
  return <div style={isPending ? { visibility: "hidden" } : undefined}>{children}</div>;
}

/** What is open, recovering or held off, and what keeps Tailslide from its work: the first thing to see. */
export function NeedsAttention({ app }: { app: string | null }) {
  const query = useQuery(statusQuery(app));
  return (
    <section className={styles.section} aria-labelledby="attention">
      <Title order={2} id="attention" mb="xs">
        Needs attention
      </Title>
      <QueryView query={query} loading={<LoadingState rows={1} height={40} />}>
        {(status) => <Shown status={status} withApp={app === null} />}
      </QueryView>
    </section>
  );
}

function Shown({ status, withApp }: { status: Status; withApp: boolean }) {
  const moving = status.flags.slice(0, MOVING).map(idOf);
  useLiveNeed({ refresh: moving });
  return (
    <Stack gap="xs">
      {status.troubles.length > 0 && (
        <Alert
          color="gray"
          variant="outline"
          icon={<IconAlertTriangle />}
          title="Tailslide itself is in trouble"
          role="alert"
          className={styles.troubles}
        >
          {status.troubles.map((trouble) => (
            <Text key={trouble}>{trouble}</Text>
          ))}
        </Alert>
      )}
      {status.flags.length === 0 ? (
        <Text className={styles.calm}>
          <IconCircleCheck size={18} aria-hidden />
          {status.sentence}
        </Text>
      ) : (
        <div className={styles.cards}>
          {status.flags.slice(0, MOVING).map((flag) => (
            <TroubleCard key={idOf(flag)} trouble={flag} withApp={withApp} />
          ))}
        </div>
      )}
      {status.flags.length > MOVING && (
        <Text c="var(--quiet)">
          And {count(status.flags.length - MOVING)} more: they are the first in the list of flags below.
        </Text>
      )}
    </Stack>
  );
}
