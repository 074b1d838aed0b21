import { Alert, Anchor, Box, Stack, Text } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import { Link } from "react-router";
import { Moment } from "@/components/Moment";
import { useNow } from "@/components/times";
import { EmptyState, ErrorState, LoadingState, PageHead } from "@/components/views";
import { useLiveState } from "@/live/LiveProvider";
import { paths } from "@/shell/paths";
import { useScope } from "@/shell/scope";
import { type Sidecar, useNotArrived, useSidecars } from "./api";
import { NotArrived } from "./NotArrived";
import { SidecarTable } from "./SidecarTable";
import { StartSidecar } from "./StartSidecar";
import { byUrgency, lags, summary, versionsOf } from "./words";

/** The sidecars that Tower hears from: those that lag first, and which change has not arrived where. */
export function SidecarsPage() {
  const app = useScope();
  const query = useSidecars(app);
  const pages = query.data?.pages;
  const sidecars = pages?.flatMap((page) => page.sidecars);
  const notArrived = useNotArrived([...new Set((sidecars ?? []).filter(lags).map((each) => each.app))]);
  return (
    <>
      <PageHead title="Sidecars" tab={app === null ? "Sidecars" : `Sidecars of ${app}`}>
        {sidecars !== undefined && sidecars.length > 0 && <Summary sidecars={sidecars} />}
      </PageHead>
      {query.isError && <ErrorState error={query.error} retry={() => void query.refetch()} />}
      {sidecars === undefined && !query.isError && <LoadingState rows={6} height={44} />}
      {pages?.[0]?.listening === false && (
        <Alert mb="md" color="gray" variant="outline" icon={<IconInfoCircle />}>
          Tower hears nothing of sidecars now, since it cannot reach NATS. Shown is what it heard last; the sidecars may
          well be fine.
        </Alert>
      )}
      {sidecars?.length === 0 && pages?.[0]?.listening !== false && <NoSidecar app={app} />}
      {sidecars !== undefined && sidecars.length > 0 && (
        <>
          <NotArrived flags={notArrived} />
          <SidecarTable sidecars={byUrgency(sidecars)} withApp={app === null} ordinary={versionsOf(sidecars)[0]?.[0]} />
        </>
      )}
    </>
  );
}

function Summary({ sidecars }: { sidecars: readonly Sidecar[] }) {
  const live = useLiveState();
  const now = useNow();
  const stale = live.phase === "gone" ? live.lastLiveMs : null;
  const versions = versionsOf(sidecars);
  return (
    <Text>
      {stale !== null && (
        <>
          Shown as of <Moment at={stale} />:{" "}
        </>
      )}
      {summary(sidecars, stale ?? now)}
      {versions.length > 1 &&
        ` ${versions.length} versions run: ${versions.map(([version, number]) => `${version} (${number})`).join(", ")}.`}
    </Text>
  );
}

function NoSidecar({ app }: { app: string | null }) {
  return (
    <EmptyState title="No sidecar is connected">
      <Stack>
        <Text>
          A sidecar runs beside your app and answers its flags. Tower lists it within a second of its start, and for a
          day after it was last heard from.
        </Text>
        {app === null ? (
          <Text>
            The{" "}
            <Anchor component={Link} to={paths.welcome} inherit>
              five steps to a first flag
            </Anchor>{" "}
            end with one. For an app that you have, choose it above.
          </Text>
        ) : (
          <Box ta="left">
            <StartSidecar app={app} />
          </Box>
        )}
      </Stack>
    </EmptyState>
  );
}
