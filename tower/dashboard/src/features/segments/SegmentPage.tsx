import { Anchor, Button, Group, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconHistory, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "react-router";
import { ProblemError, sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { CopyText } from "@/components/Copy";
import { Ago } from "@/components/Moment";
import { counted } from "@/components/numbers";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { LeavingHeld } from "@/features/flag/editing/LeavingHeld";
import { flagsUsing, useAppFlags } from "@/features/flag/targeting/app_flags";
import { paths } from "@/shell/paths";
import { GivenUp } from "@/shell/reason";
import { type Segment, segmentQuery, useSegmentChanges } from "./api";
import { Conflict } from "./Conflict";
import { draftOf } from "./draft";
import { SegmentForm } from "./SegmentForm";
import styles from "./segments.module.css";
import { UsedBy } from "./UsedBy";
import { useSegmentEditing } from "./useSegmentEditing";

/** A segment: who is in it, who uses it, and the way to change it. */
export function SegmentPage() {
  const { app = "", segment = "" } = useParams();
  const query = useQuery(segmentQuery(app, segment));
  if (query.data === undefined && query.error instanceof ProblemError && query.error.status === 404) {
    return (
      <EmptyState
        title={`There is no segment ${segment} in ${app}`}
        action={
          <Button component={Link} to={`/apps/${app}/segments`} variant="default">
            Segments of {app}
          </Button>
        }
      >
        {query.error.message}
      </EmptyState>
    );
  }
  return <QueryView query={query}>{(data) => <OneSegment key={`${data.app} ${data.key}`} segment={data} />}</QueryView>;
}

function OneSegment({ segment }: { segment: Segment }) {
  const { app, key } = segment;
  const { mayEdit } = useRights();
  const { flags, complete } = useAppFlags(app);
  const users = flagsUsing(flags, key);
  const editing = useSegmentEditing(segment);
  const changes = useSegmentChanges(app);
  const readOnly = !mayEdit(app);

  const undo = async (before: Segment, after: Segment) => {
    try {
      await changes.save(after, draftOf(before));
    } catch (error) {
      if (error instanceof GivenUp) return;
      notifications.show({ color: "gray", title: "It was not undone", message: sentenceOf(error) });
    }
  };
  const save = async () => {
    const saved = await editing.save();
    if (saved === null) return;
    const id = notifications.show({
      color: "gray",
      message: (
        <Group gap="xs" justify="space-between">
          Saved {key}
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              notifications.hide(id);
              void undo(saved.before, saved.after);
            }}
          >
            Undo
          </Button>
        </Group>
      ),
    });
  };
  return (
    <>
      <PageHead
        title={key}
        tab={`${key} · segment`}
        actions={
          <>
            <Button
              component={Link}
              to={`${paths.log(app)}?kind=segment&key=${key}`}
              variant="default"
              leftSection={<IconHistory size={16} />}
            >
              Log
            </Button>
            {!readOnly && <Delete segment={segment} users={users} />}
          </>
        }
      >
        <Group gap={12}>
          <CopyText value={key} what="the segment's key" />
          <Text size="sm" c="var(--quiet)">
            segment of{" "}
            <Anchor component={Link} to={`/apps/${app}/segments`} inherit>
              {app}
            </Anchor>
            , changed <Ago at={segment.updated_at} />
          </Text>
        </Group>
        {segment.description !== "" && readOnly && <Text>{segment.description}</Text>}
        <Text component="div" size="sm">
          <UsedBy app={app} flags={users} complete={complete} />
        </Text>
        {segment.warnings.map((warning) => (
          <Text key={warning} size="sm">
            {warning}
          </Text>
        ))}
      </PageHead>
      <Conflict editing={editing} />
      <SegmentForm
        app={app}
        draft={editing.draft}
        change={editing.change}
        readOnly={readOnly}
        problem={editing.problem}
      />
      <LeavingHeld
        words={editing.words}
        saving={editing}
        name={key}
        isWithin={(pathname) => pathname === paths.segment(app, key)}
      />
      {editing.words.length > 0 && (
        <section className={styles.bar} aria-label="Unsaved changes">
          <Text className={styles.words}>
            {editing.words.join("; ")}
            {users.length > 0 && `. It takes effect at once in ${counted(users.length, "flag")}: ${names(users)}.`}
          </Text>
          <Group gap="xs" wrap="nowrap">
            <Button variant="default" onClick={editing.discard} disabled={editing.saving}>
              Discard
            </Button>
            <Button onClick={() => void save()} loading={editing.saving} disabled={editing.conflict !== null}>
              Save
            </Button>
          </Group>
          {editing.problem !== null && (
            <Text c="var(--mantine-color-error)" flex="1 0 100%" role="alert">
              Not saved: {editing.problem.message}
            </Text>
          )}
        </section>
      )}
    </>
  );
}

const NAMED = 3;

function names(users: readonly { key: string }[]): string {
  const named = users.slice(0, NAMED).map(({ key }) => key);
  return users.length > NAMED ? `${named.join(", ")} and ${users.length - NAMED} more` : named.join(", ");
}

/** Deleting can be undone, so nothing is asked; while flags use the segment it cannot be deleted, and the button says so. */
function Delete({ segment, users }: { segment: Segment; users: readonly { key: string }[] }) {
  const { app, key } = segment;
  const navigate = useNavigate();
  const changes = useSegmentChanges(app);
  const inUse = users.length === 0 ? null : `Used by ${names(users)}. Remove it from their rules first.`;
  const say = (title: string, error: unknown) => {
    if (error instanceof GivenUp) return;
    notifications.show({ color: "gray", title, message: sentenceOf(error) });
  };
  const bringBack = async () => {
    try {
      await changes.create({ key, ...draftOf(segment) });
      navigate(paths.segment(app, key));
    } catch (error) {
      say("It was not brought back", error);
    }
  };
  const remove = async () => {
    try {
      await changes.remove(segment);
    } catch (error) {
      say("It was not deleted", error);
      return;
    }
    navigate(`/apps/${app}/segments`);
    const id = notifications.show({
      color: "gray",
      autoClose: 12_000,
      message: (
        <Group gap="xs" justify="space-between">
          Deleted {key}
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              notifications.hide(id);
              void bringBack();
            }}
          >
            Undo
          </Button>
        </Group>
      ),
    });
  };
  return (
    <Tooltip label={inUse ?? "No flag uses it"} multiline maw={320}>
      <Button
        variant="default"
        leftSection={<IconTrash size={16} />}
        data-disabled={inUse !== null || undefined}
        aria-disabled={inUse !== null}
        aria-description={inUse ?? undefined}
        onClick={() => inUse === null && void remove()}
      >
        Delete
      </Button>
    </Tooltip>
  );
}
