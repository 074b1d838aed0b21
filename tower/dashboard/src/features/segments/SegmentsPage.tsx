import { Anchor, Button, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { IconPlus, IconSearch } from "@tabler/icons-react";
import { useQueries, useQuery } from "@tanstack/react-query";
import { Fragment, useState } from "react";
import { Link, useParams } from "react-router";
import { useRights } from "@/api/session";
import { Ago } from "@/components/Moment";
import { EmptyState, LoadingState, PageHead, QueryView } from "@/components/views";
import { appsQuery } from "@/features/apps/api";
import { flagsUsing, useAppFlags } from "@/features/flag/targeting/app_flags";
import { conditionsInWords } from "@/features/flag/targeting/rules/words";
import { paths } from "@/shell/paths";
import { type ListedSegment, segmentsQuery } from "./api";
import { whoInWords } from "./draft";
import styles from "./segments.module.css";
import { UsedBy } from "./UsedBy";

const SEARCHED_FROM = 8;
const EXPLAINED =
  "A segment is a named group of users that many flags can use. A change takes effect in all of them at once.";

/** The segments of one app. */
export function SegmentsPage() {
  const { app = "" } = useParams();
  return (
    <>
      <PageHead title="Segments" tab={`Segments of ${app}`} actions={<NewSegment app={app} />}>
        <Text c="var(--quiet)">{EXPLAINED}</Text>
      </PageHead>
      <SegmentsOf app={app} />
    </>
  );
}

/** The segments of all apps, an app after another; those without any last, in a line. */
export function AllSegmentsPage() {
  const apps = useQuery(appsQuery);
  const [withNone, known] = useQueries({
    queries: (apps.data ?? []).map(({ key }) => segmentsQuery(key)),
    combine: (results) => [
      (apps.data ?? []).filter((_, place) => results[place]?.data?.length === 0),
      results.every(({ isPending }) => !isPending),
    ],
  });
  return (
    <>
      <PageHead title="Segments">
        <Text c="var(--quiet)">{EXPLAINED}</Text>
      </PageHead>
      <QueryView query={apps}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState title="There are no apps yet">A segment belongs to an app.</EmptyState>
          ) : !known ? (
            <LoadingState />
          ) : (
            <Stack gap={24}>
              {all
                .filter((app) => !withNone.includes(app))
                .map(({ key, name }) => (
                  <section key={key} aria-label={`Segments of ${key}`}>
                    <Group justify="space-between" mb={8}>
                      <Title order={2}>
                        <Anchor component={Link} to={`/apps/${key}/segments`} inherit>
                          {name}
                        </Anchor>
                      </Title>
                      <NewSegment app={key} small />
                    </Group>
                    <SegmentsOf app={key} />
                  </section>
                ))}
              {withNone.length > 0 && (
                <Text size="sm" c="var(--quiet)">
                  {withNone.length === all.length ? "No app has segments yet" : "Apps without segments"}:{" "}
                  {withNone.map(({ key, name }, place) => (
                    <Fragment key={key}>
                      {place > 0 && ", "}
                      <Anchor component={Link} to={`/apps/${key}/segments`} inherit>
                        {name}
                      </Anchor>
                    </Fragment>
                  ))}
                </Text>
              )}
            </Stack>
          )
        }
      </QueryView>
    </>
  );
}

function NewSegment({ app, small = false }: { app: string; small?: boolean }) {
  const { mayEdit } = useRights();
  if (!mayEdit(app)) return null;
  return (
    <Button
      component={Link}
      to={paths.newSegment(app)}
      size={small ? "compact-sm" : "sm"}
      variant={small ? "default" : "filled"}
      leftSection={<IconPlus size={16} />}
      aria-label={small ? `New segment in ${app}` : undefined}
    >
      New segment
    </Button>
  );
}

function SegmentsOf({ app }: { app: string }) {
  const query = useQuery(segmentsQuery(app));
  return (
    <QueryView query={query}>
      {(segments) =>
        segments.length === 0 ? (
          <EmptyState title="There are no segments yet" action={<NewSegment app={app} />}>
            Put users in one by their keys or by what is known of them, and name it in the rules of flags.
          </EmptyState>
        ) : (
          <SegmentList app={app} segments={segments} />
        )
      }
    </QueryView>
  );
}

function SegmentList({ app, segments }: { app: string; segments: readonly ListedSegment[] }) {
  const { flags, complete } = useAppFlags(app);
  const [wanted, setWanted] = useState("");
  const text = wanted.trim().toLowerCase();
  const shown = segments.filter(({ key, description }) => `${key} ${description}`.toLowerCase().includes(text));
  return (
    <Stack gap={8}>
      {segments.length >= SEARCHED_FROM && (
        <TextInput
          maw={320}
          leftSection={<IconSearch size={16} />}
          placeholder="Search segments"
          aria-label={`Search the segments of ${app}`}
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
        />
      )}
      {shown.length === 0 && <Text c="var(--quiet)">No segment has “{wanted}” in its key or description.</Text>}
      <ul className={styles.list} hidden={shown.length === 0} aria-label={`Segments of ${app}`}>
        {shown.map((segment) => (
          <li key={segment.key} className={styles.row}>
            <div>
              <Anchor component={Link} to={paths.segment(app, segment.key)} fw={600}>
                {segment.key}
              </Anchor>
            </div>
            <div>
              <Text size="sm">{who(segment)}</Text>
              {segment.description !== "" && (
                <Text size="sm" c="var(--quiet)" lineClamp={2}>
                  {segment.description}
                </Text>
              )}
            </div>
            <Text component="div" size="sm">
              <UsedBy app={app} flags={flagsUsing(flags, segment.key)} complete={complete} />
            </Text>
            <Text size="sm" c="var(--quiet)">
              <Ago at={segment.updated_at} />
            </Text>
          </li>
        ))}
      </ul>
    </Stack>
  );
}

function who({ included, excluded, conditions, when }: ListedSegment): string {
  const more = conditions > when.length ? ` and ${conditions - when.length} more conditions` : "";
  return whoInWords(included, excluded, conditions === 0 ? null : conditionsInWords(when) + more);
}
