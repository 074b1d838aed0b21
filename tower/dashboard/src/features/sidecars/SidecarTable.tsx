import { Button, Card, Group, Stack, Table, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "react-router";
import { Ago } from "@/components/Moment";
import { count, counted } from "@/components/numbers";
import { paths } from "@/shell/paths";
import type { Sidecar } from "./api";
import { LastHeard, SidecarStatus, Source } from "./SidecarStatus";
import styles from "./sidecars.module.css";
import { lags, some } from "./words";

const SHOWN_AT_FIRST = 200;

/** Sidecars as a table, or as cards where that has no room. `ordinary` is the version that needs no word. */
export function SidecarTable({
  sidecars,
  withApp,
  ordinary,
}: {
  sidecars: readonly Sidecar[];
  withApp: boolean;
  ordinary: string | undefined;
}) {
  const narrow = useMediaQuery("(max-width: 64em)", window.innerWidth < 1024, { getInitialValueInEffect: false });
  const [most, setMost] = useState(SHOWN_AT_FIRST);
  const shown = sidecars.slice(0, most);
  return (
    <Stack gap="sm">
      {narrow ? (
        shown.map((sidecar) => (
          <SidecarCard key={keyOf(sidecar)} sidecar={sidecar} withApp={withApp} ordinary={ordinary} />
        ))
      ) : (
        <Card withBorder p={0} bg="var(--surface)">
          <Table verticalSpacing="xs" horizontalSpacing="md">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Sidecar</Table.Th>
                {withApp && <Table.Th>App</Table.Th>}
                <Table.Th>Status</Table.Th>
                <Table.Th>Last heard</Table.Th>
                <Table.Th>Rulesets</Table.Th>
                <Table.Th>Version</Table.Th>
                <Table.Th>Flags in routes</Table.Th>
                <Table.Th>Started</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((sidecar) => (
                <Table.Tr key={keyOf(sidecar)} className={lags(sidecar) ? styles.lagging : undefined}>
                  <Table.Td>
                    <Text fw={600}>{sidecar.instance}</Text>
                    <Text size="xs" c="var(--quiet)">
                      {sidecar.host} · {sidecar.listeners.join(", ")}
                    </Text>
                  </Table.Td>
                  {withApp && (
                    <Table.Td>
                      <Link to={paths.sidecars(sidecar.app)}>{sidecar.app}</Link>
                    </Table.Td>
                  )}
                  <Table.Td>
                    <SidecarStatus sidecar={sidecar} />
                  </Table.Td>
                  <Table.Td>
                    <LastHeard sidecar={sidecar} />
                  </Table.Td>
                  <Table.Td>
                    <Source sidecar={sidecar} />
                    <Refused sidecar={sidecar} />
                  </Table.Td>
                  <Table.Td>
                    <Version sidecar={sidecar} ordinary={ordinary} />
                  </Table.Td>
                  <Table.Td maw={280}>
                    <RouteFlags sidecar={sidecar} />
                  </Table.Td>
                  <Table.Td>
                    <Ago at={sidecar.started_at} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Card>
      )}
      {sidecars.length > most && (
        <Button variant="default" onClick={() => setMost(most + 1000)}>
          Show more of {count(sidecars.length)}
        </Button>
      )}
    </Stack>
  );
}

const keyOf = (sidecar: Sidecar) => `${sidecar.app}.${sidecar.instance}`;

function SidecarCard({
  sidecar,
  withApp,
  ordinary,
}: {
  sidecar: Sidecar;
  withApp: boolean;
  ordinary: string | undefined;
}) {
  return (
    <Card
      withBorder
      p="md"
      component="article"
      aria-label={sidecar.instance}
      bg={lags(sidecar) ? undefined : "var(--surface)"}
      className={lags(sidecar) ? styles.lagging : undefined}
    >
      <Group justify="space-between" mb="xs" wrap="nowrap">
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {sidecar.instance}
        </Text>
        <SidecarStatus sidecar={sidecar} />
      </Group>
      <dl className={styles.facts}>
        {withApp && (
          <>
            <dt>App</dt>
            <dd>
              <Link to={paths.sidecars(sidecar.app)}>{sidecar.app}</Link>
            </dd>
          </>
        )}
        <dt>Last heard</dt>
        <dd>
          <LastHeard sidecar={sidecar} />
        </dd>
        <dt>Rulesets</dt>
        <dd>
          <Source sidecar={sidecar} />
          <Refused sidecar={sidecar} />
        </dd>
        <dt>Version</dt>
        <dd>
          <Version sidecar={sidecar} ordinary={ordinary} />
        </dd>
        <dt>Routes</dt>
        <dd>
          <RouteFlags sidecar={sidecar} />
        </dd>
        <dt>Listens at</dt>
        <dd>
          {sidecar.host}, {sidecar.listeners.join(", ")}
        </dd>
        <dt>Started</dt>
        <dd>
          <Ago at={sidecar.started_at} />
        </dd>
      </dl>
    </Card>
  );
}

function Version({ sidecar, ordinary }: { sidecar: Sidecar; ordinary: string | undefined }) {
  if (ordinary === undefined || sidecar.version === ordinary) return <>{sidecar.version}</>;
  return (
    <Text span fw={600}>
      {sidecar.version}, unlike most
    </Text>
  );
}

function RouteFlags({ sidecar: { app, route_flags, route_flags_count } }: { sidecar: Sidecar }) {
  if (route_flags_count === 0) return <Text c="var(--quiet)">None</Text>;
  const shown = route_flags.slice(0, 5);
  return (
    <>
      {shown.map((flag, index) => (
        <span key={flag}>
          {index > 0 && ", "}
          <Link to={paths.flag(app, flag)}>{flag}</Link>
        </span>
      ))}
      {route_flags_count > shown.length && ` and ${count(route_flags_count - shown.length)} more`}
    </>
  );
}

/** Rulesets that a sidecar was sent and could not read: most often it is older than what Tower writes. */
function Refused({ sidecar: { refused, refused_count } }: { sidecar: Sidecar }) {
  if (refused_count === 0) return null;
  return (
    <Group gap={6} wrap="nowrap" align="flex-start">
      <IconAlertTriangle size={16} aria-hidden style={{ flexShrink: 0, marginTop: 2 }} />
      <Text fw={600}>
        Cannot read the last ruleset of {counted(refused_count, "flag")}: {some(refused, refused_count)}. It answers by
        the one before. A newer version of the sidecar may read it; its log says why.
      </Text>
    </Group>
  );
}
