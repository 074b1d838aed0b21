import { ActionIcon, Alert, Badge, Button, Group, Menu, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconArchive, IconDots, IconPencil, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { ProblemError, sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { Copy } from "@/components/Copy";
import { Ago } from "@/components/Moment";
import { ErrorState, LoadingState, PageHead } from "@/components/views";
import { NewFlag } from "@/features/flags/FlagsPage";
import { FlagsList } from "@/features/flags/table/FlagsList";
import { BelowAttention, NeedsAttention } from "@/features/overview/NeedsAttention";
import { paths } from "@/shell/paths";
import { GivenUp } from "@/shell/reason";
import { AppStrip } from "./AppStrip";
import { ArchiveApp } from "./ArchiveApp";
import { type App, appQuery, useAppChanges } from "./api";
import { DeleteApp } from "./DeleteApp";

/** An app: what it is, what needs attention in it, and its flags. */
export function AppPage() {
  const { app: key = "" } = useParams();
  const query = useQuery(appQuery(key));
  if (query.data === undefined) {
    return query.isError ? <ErrorState error={query.error} retry={() => void query.refetch()} /> : <LoadingState />;
  }
  return <Shown key={key} app={query.data} />;
}

function Shown({ app }: { app: App }) {
  const archived = app.archived_at !== null;
  return (
    <>
      <PageHead
        title={
          <Group gap="xs" component="span">
            {app.name}
            {app.environment !== null && (
              <Badge variant="outline" color="gray" tt="none">
                {app.environment}
              </Badge>
            )}
          </Group>
        }
        tab={app.name}
        actions={
          <>
            {!archived && <NewFlag app={app.key} />}
            <AppMenu app={app} />
          </>
        }
      >
        <Group gap={4} c="var(--quiet)">
          {app.key}
          <Copy value={app.key} what="the app's key" />
          {app.service !== null && `· service ${app.service}`}
        </Group>
        {app.description !== "" && (
          <Text maw={720} style={{ whiteSpace: "pre-line" }}>
            {app.description}
          </Text>
        )}
      </PageHead>
      {archived ? <Archived app={app} /> : <NeedsAttention app={app.key} />}
      {archived && <AppStrip app={app} />}
      {!archived && (
        <BelowAttention app={app.key}>
          <AppStrip app={app} />
          <section aria-labelledby="flags">
            <Title order={2} id="flags" mb="xs">
              Flags
            </Title>
            <FlagsList app={app.key} />
          </section>
        </BelowAttention>
      )}
    </>
  );
}

/** Says that nothing gets the app's flags, and offers the ways on. */
function Archived({ app }: { app: App }) {
  const { mayAdmin } = useRights();
  const { restore } = useAppChanges(app);
  const refused = restore.error instanceof ProblemError ? sentenceOf(restore.error) : null;
  return (
    <Alert color="gray" variant="outline" icon={<IconArchive />} mb="lg" title={`${app.key} is archived`}>
      <Text mb="xs">
        Archived <Ago at={app.archived_at ?? app.updated_at} />. Sidecars do not get its flags: callers get their own
        defaults. Nothing of it can be changed until it is restored.
      </Text>
      {refused !== null && (
        <Text mb="xs" role="alert">
          {refused}
        </Text>
      )}
      {mayAdmin(app.key) && (
        <Button
          variant="default"
          loading={restore.isPending}
          onClick={() => restore.mutate(undefined, { onError: (error) => error instanceof GivenUp && restore.reset() })}
        >
          Restore: its sidecars get its flags again
        </Button>
      )}
    </Alert>
  );
}

function AppMenu({ app }: { app: App }) {
  const { mayAdmin } = useRights();
  const [archiving, archive] = useDisclosure(false);
  const [deleting, remove] = useDisclosure(false);
  if (!mayAdmin(app.key)) return null;
  const archived = app.archived_at !== null;
  return (
    <>
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <ActionIcon variant="default" size={36} aria-label={`More of ${app.key}`}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {archived ? (
            <Menu.Item leftSection={<IconTrash size={16} />} onClick={remove.open}>
              Delete for good
            </Menu.Item>
          ) : (
            <>
              <Menu.Item component={Link} to={paths.editApp(app.key)} leftSection={<IconPencil size={16} />}>
                Edit
              </Menu.Item>
              <Menu.Item leftSection={<IconArchive size={16} />} onClick={archive.open}>
                Archive
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      {archiving && <ArchiveApp app={app} close={archive.close} />}
      {deleting && <DeleteApp app={app} close={remove.close} />}
    </>
  );
}
