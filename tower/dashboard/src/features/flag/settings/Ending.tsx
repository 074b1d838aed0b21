import { Alert, Button, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { ProblemError, sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { Ago, Moment } from "@/components/Moment";
import type { Flag } from "@/features/flags/api";
import { paths } from "@/shell/paths";
import { GivenUp } from "@/shell/reason";
import { inScope } from "@/shell/scope";
import { useSavedToast } from "../saved/useSavedToast";
import { useEnding } from "./useEnding";

/** Copying a flag, and taking it out of use: archive, restore, delete, with what each will do. */
export function Ending({ flag, unsaved }: { flag: Flag; unsaved: boolean }) {
  const { mayEdit, mayAdmin } = useRights();
  return (
    <Stack gap="lg">
      {mayEdit(flag.app) && (
        <section>
          <Title order={2}>Duplicate</Title>
          <Text c="var(--quiet)" my="xs">
            A copy has the same settings under another key, here or in another app. It starts off.
          </Text>
          <Button variant="default" component={Link} to={paths.duplicateFlag(flag.app, flag.key)}>
            Duplicate {flag.key}
          </Button>
        </section>
      )}
      {mayEdit(flag.app) &&
        (flag.archived_at === null ? <ToArchive flag={flag} unsaved={unsaved} /> : <ToRestore flag={flag} />)}
      {mayAdmin(flag.app) && <ToDelete flag={flag} />}
    </Stack>
  );
}

function ToArchive({ flag, unsaved }: { flag: Flag; unsaved: boolean }) {
  const { archive, restore } = useEnding(flag);
  const show = useSavedToast();
  const run = async (force: boolean) => {
    const after = await archive.mutateAsync({ force }).catch(swallowed);
    if (after === undefined) return;
    show({ before: flag, after }, "Archived", async () => {
      const restored = await restore.mutateAsync();
      return { before: after, after: restored };
    });
  };
  const { error } = archive;
  const askedLately = error instanceof ProblemError && error.code === "FLAG_IN_USE_RECENTLY";
  const askedAt = askedLately ? lastAsked(error, flag.key) : null;
  return (
    <section>
      <Title order={2}>Archive</Title>
      <Text c="var(--quiet)" my="xs">
        Sidecars no longer get an archived flag, so programs that still ask for it get their own defaults. It keeps its
        key, its settings and its log, and can be restored.
      </Text>
      <Group gap="xs">
        <Button variant="default" disabled={unsaved} loading={archive.isPending} onClick={() => void run(false)}>
          Archive {flag.key}
        </Button>
        {unsaved && <Text size="xs">Save or discard your changes first.</Text>}
      </Group>
      {error !== null && !(error instanceof GivenUp) && (
        <Alert mt="xs" color="gray" variant="outline" icon={<IconAlertTriangle />} title="Not archived" role="alert">
          {askedAt !== null && (
            <Text>
              Something asked for it <Ago at={askedAt} />. Archived, it would get its own default from now on.
            </Text>
          )}
          <Text size={askedAt === null ? undefined : "xs"}>{asSentence(sentenceOf(error))}</Text>
          {askedLately && (
            <Button mt="xs" size="xs" variant="default" onClick={() => void run(true)}>
              Archive it all the same
            </Button>
          )}
        </Alert>
      )}
    </section>
  );
}

/** When something last asked for the flag, as the refusal says; null where it does not. */
function lastAsked({ members }: ProblemError, key: string): string | null {
  const moments = members.last_asked as Record<string, string | null> | null | undefined;
  return moments?.[key] ?? null;
}

function ToRestore({ flag }: { flag: Flag }) {
  const { restore } = useEnding(flag);
  const show = useSavedToast();
  const run = async () => {
    const after = await restore.mutateAsync().catch(swallowed);
    if (after !== undefined) show({ before: flag, after }, "Restored", null);
  };
  return (
    <section>
      <Title order={2}>Restore</Title>
      <Text c="var(--quiet)" my="xs">
        Archived {flag.archived_at !== null && <Moment at={flag.archived_at} />}. Restored, sidecars get it again as it
        was: {flag.active ? "on" : "off"}.
      </Text>
      <Button loading={restore.isPending} onClick={() => void run()}>
        Restore {flag.key}
      </Button>
      <Refusal error={restore.error} title="Not restored" />
    </section>
  );
}

function ToDelete({ flag }: { flag: Flag }) {
  const { remove } = useEnding(flag);
  const [typed, setTyped] = useState("");
  const navigate = useNavigate();
  const archived = flag.archived_at !== null;
  const run = async () => {
    try {
      await remove.mutateAsync();
    } catch (error) {
      swallowed(error);
      return;
    }
    await navigate(inScope(flag.app, "flags"));
  };
  return (
    <section>
      <Title order={2}>Delete</Title>
      <Text c="var(--quiet)" my="xs">
        {archived
          ? "The flag and its settings are gone for good. What happened to it stays in the log, and its key is free again."
          : "Only an archived flag can be deleted."}
      </Text>
      {archived && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (typed === flag.key) void run();
          }}
        >
          <Group gap="xs" align="flex-end">
            <TextInput
              label={`Type ${flag.key} to delete it`}
              value={typed}
              autoComplete="off"
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
            <Button type="submit" variant="default" disabled={typed !== flag.key} loading={remove.isPending}>
              Delete for good
            </Button>
          </Group>
        </form>
      )}
      <Refusal error={remove.error} title="Not deleted" />
    </section>
  );
}

function Refusal({ error, title }: { error: unknown; title: string }) {
  if (error === null || error instanceof GivenUp) return null;
  return (
    <Alert mt="xs" color="gray" variant="outline" icon={<IconAlertTriangle />} title={title} role="alert">
      {asSentence(sentenceOf(error))}
    </Alert>
  );
}

/** What a mutation refuses is shown beside its button. */
function swallowed(error: unknown): undefined {
  if (!(error instanceof ProblemError || error instanceof GivenUp)) throw error;
}

function asSentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
