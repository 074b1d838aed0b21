import { Badge, Button, Switch, Table, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useSearchParams } from "react-router";
import { useRights } from "@/api/session";
import { Ago } from "@/components/Moment";
import { count } from "@/components/numbers";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { useFlags } from "@/features/flags/list";
import { paths } from "@/shell/paths";
import { type App, appsQuery, archivedAppsQuery } from "./api";
import styles from "./apps.module.css";

/** All apps: what they are, and what is open in them. */
export function AppsPage() {
  const [search, setSearch] = useSearchParams();
  const archived = search.get("archived") === "true";
  const apps = useQuery(archived ? archivedAppsQuery : appsQuery);
  const { mayAdmin } = useRights();
  const make = mayAdmin() && (
    <Button component={Link} to={paths.newApp} leftSection={<IconPlus size={16} />}>
      New app
    </Button>
  );
  return (
    <>
      <PageHead title="Apps" actions={make || undefined} />
      <Switch
        mb="md"
        label="Show archived apps"
        checked={archived}
        onChange={({ currentTarget: { checked } }) => setSearch(checked ? { archived: "true" } : {}, { replace: true })}
      />
      <QueryView query={apps}>
        {(found) =>
          found.length > 0 ? (
            <AppTable apps={found} archived={archived} />
          ) : archived ? (
            <EmptyState title="No app is archived" />
          ) : (
            <EmptyState title="There is no app yet" action={make}>
              An app is what flags belong to: a service in one environment.
            </EmptyState>
          )
        }
      </QueryView>
    </>
  );
}

function AppTable({ apps, archived }: { apps: App[]; archived: boolean }) {
  const { flags, more } = useFlags(null, archived);
  const counts = useMemo(() => {
    const of = new Map<string, { flags: number; open: number; recovering: number; held: number }>();
    for (const { app, state } of flags) {
      const its = of.get(app) ?? { flags: 0, open: 0, recovering: 0, held: 0 };
      its.flags += 1;
      if (state.settled === "open") its.open += 1;
      if (state.settled === "recovering") its.recovering += 1;
      if (state.settled === "held_off") its.held += 1;
      of.set(app, its);
    }
    return of;
  }, [flags]);
  return (
    <Table className={styles.apps} verticalSpacing="sm" highlightOnHover>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>App</Table.Th>
          <Table.Th>Environment</Table.Th>
          <Table.Th>Service</Table.Th>
          <Table.Th>Flags</Table.Th>
          <Table.Th>{archived ? "Archived" : "Now"}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {apps.map((app) => {
          const its = counts.get(app.key);
          return (
            <Table.Tr key={app.key}>
              <Table.Th scope="row">
                <Link to={paths.app(app.key)} className={styles.appLink}>
                  {app.name}
                </Link>
                <Text size="xs" c="var(--quiet)">
                  {app.key}
                </Text>
              </Table.Th>
              <Table.Td data-label="Environment">
                {app.environment === null ? (
                  "–"
                ) : (
                  <Badge variant="outline" color="gray" tt="none">
                    {app.environment}
                  </Badge>
                )}
              </Table.Td>
              <Table.Td data-label="Service">{app.service ?? "–"}</Table.Td>
              <Table.Td data-label="Flags">{more ? "…" : count(its?.flags ?? 0)}</Table.Td>
              <Table.Td data-label={archived ? "Archived" : "Now"}>
                {app.archived_at !== null ? <Ago at={app.archived_at} /> : nowIn(its)}
              </Table.Td>
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </Table>
  );
}

/** What needs attention in an app: `1 open, 2 recovering`. */
function nowIn(its: { open: number; recovering: number; held: number } | undefined) {
  const parts = [
    ...(its?.open ? [`${count(its.open)} open`] : []),
    ...(its?.recovering ? [`${count(its.recovering)} recovering`] : []),
    ...(its?.held ? [`${count(its.held)} held off`] : []),
  ];
  if (parts.length === 0) return <Text c="var(--quiet)">Nothing is open</Text>;
  return <Text fw={600}>{parts.join(", ")}</Text>;
}
