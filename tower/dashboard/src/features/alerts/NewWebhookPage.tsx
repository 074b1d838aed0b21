import { Text } from "@mantine/core";
import { useState } from "react";
import { useNavigate } from "react-router";
import { ProblemError } from "@/api/problem";
import { PageHead } from "@/components/views";
import { paths } from "@/shell/paths";
import { useScope } from "@/shell/scope";
import { useWebhookChanges, type WebhookWithSecret } from "./api";
import { SecretShown } from "./SecretShown";
import { newWebhook, type WebhookFields, WebhookForm } from "./WebhookForm";

/** Make a webhook. Of one that signs, the secret is shown before going on to its page. */
export function NewWebhookPage() {
  const app = useScope();
  const navigate = useNavigate();
  const { create } = useWebhookChanges();
  const [made, setMade] = useState<WebhookWithSecret | null>(null);
  const submit = async (fields: WebhookFields) => {
    try {
      const webhook = await create.mutateAsync(fields);
      if (webhook.secret === null) navigate(paths.webhook(webhook.id));
      else setMade(webhook);
    } catch (error) {
      // The form shows it.
      if (!(error instanceof ProblemError)) throw error;
    }
  };
  return (
    <>
      <PageHead title="New webhook">
        <Text c="var(--quiet)">It can be tried out before anything happens.</Text>
      </PageHead>
      <WebhookForm
        key={app}
        initial={newWebhook(app)}
        made={false}
        submit={(fields) => void submit(fields)}
        pending={create.isPending}
        error={create.error}
        cancel={() => navigate(paths.alerts(app))}
      />
      <SecretShown
        title={`The secret of ${made?.name ?? ""}`}
        what="the secret"
        secret={made?.secret ?? null}
        close={() => made !== null && navigate(paths.webhook(made.id))}
      >
        <Text>
          The receiver checks with it that a message comes from this Tower. Each message has a signature, after the
          Standard Webhooks specification.
        </Text>
      </SecretShown>
    </>
  );
}
