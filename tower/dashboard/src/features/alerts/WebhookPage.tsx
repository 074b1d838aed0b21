import { Alert, Button, Group, Modal, Stack, Switch, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { ProblemError, sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { CopyText } from "@/components/Copy";
import { Moment } from "@/components/Moment";
import { EmptyState, ErrorState, PageHead, QueryView } from "@/components/views";
import { paths } from "@/shell/paths";
import { EnabledBadge, kindName } from "./AlertsPage";
import { AttemptShown } from "./AttemptShown";
import styles from "./alerts.module.css";
import { mayChange, useWebhookChanges, type Webhook, webhookQuery } from "./api";
import { Deliveries } from "./Deliveries";
import { aboutInWords, occasionName } from "./occasions";
import { SecretShown } from "./SecretShown";
import { type WebhookFields, WebhookForm } from "./WebhookForm";

export function WebhookPage() {
  const { webhook = "" } = useParams();
  const query = useQuery(webhookQuery(webhook));
  if (query.error instanceof ProblemError && query.error.status === 404) {
    return (
      <EmptyState title="There is no such webhook">
        It was deleted, or it is about an app that you may not see.
      </EmptyState>
    );
  }
  return <QueryView query={query}>{(found) => <OneWebhook key={found.id} webhook={found} />}</QueryView>;
}

function OneWebhook({ webhook }: { webhook: Webhook }) {
  const mayEdit = mayChange(useRights(), webhook.app);
  const [editing, setEditing] = useState(false);
  return (
    <>
      <PageHead title={webhook.name} actions={<EnabledBadge webhook={webhook} />}>
        <Text c="var(--quiet)">
          {kindName(webhook.kind)}, about {aboutInWords(webhook)}.
        </Text>
      </PageHead>
      {webhook.disabled_reason !== null && (
        <Alert mb="md" color="gray" variant="outline" title="Tower has disabled this webhook">
          {webhook.disabled_reason}
        </Alert>
      )}
      {editing ? (
        <Edit webhook={webhook} close={() => setEditing(false)} />
      ) : (
        <Stack gap="lg">
          <Shown webhook={webhook} />
          {mayEdit ? (
            <Actions webhook={webhook} edit={() => setEditing(true)} />
          ) : (
            <Text size="sm" c="var(--quiet)">
              {webhook.app === null
                ? "Only admins may change a webhook about all apps."
                : `Only editors of ${webhook.app} may change it.`}
            </Text>
          )}
          <section>
            <Title order={2} mb="xs">
              Deliveries
            </Title>
            <Deliveries webhook={webhook} mayEdit={mayEdit} />
          </section>
        </Stack>
      )}
    </>
  );
}

function Shown({ webhook }: { webhook: Webhook }) {
  return (
    <Stack gap={4}>
      <CopyText value={webhook.url} what="the address" />
      <Text>
        It is told of: {webhook.occasions.map(occasionName).join(", ")}. {webhook.signed && "Its messages are signed."}
        {webhook.old_secret_until !== null && (
          <>
            {" "}
            Until <Moment at={webhook.old_secret_until} /> they are signed with the old secret as well.
          </>
        )}
      </Text>
    </Stack>
  );
}

function Edit({ webhook, close }: { webhook: Webhook; close: () => void }) {
  const { change } = useWebhookChanges();
  // The version that is edited: what others do meanwhile is not overwritten.
  const [begun] = useState(webhook);
  const submit = async ({ name, url, occasions }: WebhookFields) => {
    try {
      await change.mutateAsync({ id: begun.id, version: begun.version, body: { name, url, occasions } });
      close();
    } catch (error) {
      // The form shows it.
      if (!(error instanceof ProblemError)) throw error;
    }
  };
  const stale = change.error instanceof ProblemError && change.error.stale;
  if (stale) {
    return (
      <Alert color="gray" variant="outline" role="alert" title="Somebody has changed this webhook meanwhile">
        <Text mb="xs">Nothing of yours was saved. Look at what it is now, and change it again if that is needed.</Text>
        <Button size="xs" variant="default" onClick={close}>
          Show it as it is now
        </Button>
      </Alert>
    );
  }
  return (
    <WebhookForm
      initial={begun}
      made
      submit={(fields) => void submit(fields)}
      pending={change.isPending}
      error={change.error}
      cancel={close}
    />
  );
}

function Actions({ webhook, edit }: { webhook: Webhook; edit: () => void }) {
  const { change, tryOut, rotate } = useWebhookChanges();
  const [secret, setSecret] = useState<string | null>(null);
  const [deleting, setDeleting] = useState(false);
  const failed = change.error ?? rotate.error;
  return (
    <Stack gap="xs" align="flex-start">
      <Group gap="sm">
        <Button size="xs" loading={tryOut.isPending} onClick={() => tryOut.mutate(webhook.id)}>
          Try it out
        </Button>
        <Button size="xs" variant="default" onClick={edit}>
          Change
        </Button>
        {webhook.signed && (
          <Button
            size="xs"
            variant="default"
            loading={rotate.isPending}
            onClick={() => rotate.mutate(webhook.id, { onSuccess: (rotated) => setSecret(rotated.secret) })}
          >
            New secret
          </Button>
        )}
        <Button size="xs" variant="default" onClick={() => setDeleting(true)}>
          Delete
        </Button>
        <Switch
          label="Enabled"
          checked={webhook.enabled}
          disabled={change.isPending}
          onChange={(event) => change.mutate({ id: webhook.id, body: { enabled: event.currentTarget.checked } })}
        />
      </Group>
      <div className={styles.wrap}>
        <AttemptShown tryOut={tryOut} />
        {failed !== null && <ErrorState error={failed} />}
      </div>
      <SecretShown
        title={`The new secret of ${webhook.name}`}
        what="the secret"
        secret={secret}
        close={() => setSecret(null)}
      >
        <Text>
          For a day messages carry two signatures, so that the receiver can be changed without a lost message.
        </Text>
      </SecretShown>
      <Delete webhook={webhook} opened={deleting} close={() => setDeleting(false)} />
    </Stack>
  );
}

function Delete({ webhook, opened, close }: { webhook: Webhook; opened: boolean; close: () => void }) {
  const { remove } = useWebhookChanges();
  const navigate = useNavigate();
  return (
    <Modal opened={opened} onClose={close} title={`Delete ${webhook.name}`}>
      <Stack gap="md">
        <Text>
          This address is no longer told of {aboutInWords(webhook)}. Alerts that wait for it are not sent, and the list
          of deliveries is deleted. {webhook.signed && "A new webhook gets another secret."} To stop it for a while,
          disable it instead.
        </Text>
        {remove.error !== null && <Text role="alert">{sentenceOf(remove.error)}</Text>}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button
            loading={remove.isPending}
            onClick={() => remove.mutate(webhook.id, { onSuccess: () => navigate(paths.alerts(webhook.app)) })}
          >
            Delete it
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
