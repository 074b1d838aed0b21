import { Anchor, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { ErrorState } from "@/components/views";
import { paths } from "@/shell/paths";
import { AttemptShown } from "./AttemptShown";
import { tellsOf, useWebhookChanges, type Webhook, webhooksQuery } from "./api";
import { saveSlackAddress, slackOf, slackUrlProblem } from "./slack";

/*
 * The Slack address that gets alerts about one flag.
 *
 * Of a flag that exists, `<SlackAddress app={app} flag={key} />` is all: it saves by itself, apart from the form.
 *
 * While the flag is being made, the form holds the address and saves it once the flag is there:
 *
 *     const slack = useSlackAddress();
 *     <SlackAddress app={app} flag={null} held={slack} />
 *     // Submitting: slack.problem is null, or the form does not go on. After the flag was made:
 *     await slack.save(app, key);
 *
 * `save` does nothing without an address. It throws a `ProblemError` where Tower refuses the address; the flag is there
 * then, so the form goes on to the flag's page and says with `sentenceOf(error)` what became of the alert.
 */

export interface HeldSlackAddress {
  url: string;
  change: (url: string) => void;
  /** What is wrong with it, in a sentence; null where it may be saved or is empty. */
  problem: string | null;
  save: (app: string, flag: string) => Promise<Webhook | null>;
}

/** Hold the Slack address of a flag that is not there yet. */
export function useSlackAddress(): HeldSlackAddress {
  const [url, change] = useState("");
  const queries = useQueryClient();
  const save = async (app: string, flag: string) => {
    const made = await saveSlackAddress(app, flag, url);
    if (made !== null) await queries.invalidateQueries({ queryKey: webhooksQuery.queryKey });
    return made;
  };
  return { url, change, problem: slackUrlProblem(url), save };
}

const LABEL = "Slack address";
const PLACEHOLDER = "https://hooks.slack.com/services/…";
const DESCRIPTION =
  "An incoming webhook of Slack, or of a chat that takes the same format. It is told when this flag's circuit opens, opens again or closes, and when no circuit is judged.";

/** The Slack address that gets this flag's alerts. `flag` is null while the flag is still being made. */
export function SlackAddress({ app, flag, held }: { app: string; flag: string | null; held?: HeldSlackAddress }) {
  return (
    <Stack gap="xs">
      {flag === null ? (
        held !== undefined && <HeldField held={held} />
      ) : (
        <SavedField key={`${app}/${flag}`} app={app} flag={flag} />
      )}
      <AlsoTold app={app} flag={flag} />
    </Stack>
  );
}

function HeldField({ held }: { held: HeldSlackAddress }) {
  const [left, setLeft] = useState(false);
  return (
    <TextInput
      type="url"
      label={LABEL}
      description={DESCRIPTION}
      placeholder={PLACEHOLDER}
      autoComplete="off"
      value={held.url}
      error={left ? held.problem : null}
      onBlur={() => setLeft(true)}
      onChange={(event) => held.change(event.currentTarget.value)}
    />
  );
}

function SavedField({ app, flag }: { app: string; flag: string }) {
  const { data: webhooks, error, refetch } = useQuery(webhooksQuery);
  const mayEdit = useRights().mayEdit(app);
  if (webhooks === undefined) {
    if (error !== null) return <ErrorState error={error} retry={() => void refetch()} />;
    return <TextInput label={LABEL} description={DESCRIPTION} placeholder="Reading…" disabled />;
  }
  const webhook = slackOf(webhooks, app, flag);
  // What was typed belongs to the address that was there: for another one the field starts empty.
  return <SlackForm key={webhook?.url ?? ""} app={app} flag={flag} webhook={webhook} mayEdit={mayEdit} />;
}

interface FormProps {
  app: string;
  flag: string;
  webhook: Webhook | undefined;
  mayEdit: boolean;
}

function SlackForm({ app, flag, webhook, mayEdit }: FormProps) {
  const saved = webhook?.url ?? "";
  const [typed, setTyped] = useState(saved);
  const [refusal, setRefusal] = useState<string | null>(null);
  const { create, change, remove, tryOut } = useWebhookChanges();
  const url = typed.trim();
  const problem = slackUrlProblem(url);

  /** Create a deleted webhook again, with the settings that it had. */
  const makeAgain = ({ name, url, occasions, enabled }: Webhook) =>
    create.mutateAsync({ kind: "slack", app, flag, name, url, occasions, enabled });
  const mayTell = url !== "" && url !== saved && problem === null;
  const tell = async () => {
    setRefusal(null);
    try {
      if (webhook === undefined) await create.mutateAsync({ name: `Slack of ${flag}`, kind: "slack", url, app, flag });
      else await change.mutateAsync({ id: webhook.id, body: { url } });
    } catch (error) {
      setRefusal(sentenceOf(error));
    }
  };
  const takeAway = async (gone: Webhook) => {
    setRefusal(null);
    try {
      await remove.mutateAsync(gone.id);
      const shown = notifications.show({
        message: (
          <Group justify="space-between">
            This Slack address is no longer told of {flag}.
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => {
                notifications.hide(shown);
                void makeAgain(gone).catch((error: unknown) => notifications.show({ message: sentenceOf(error) }));
              }}
            >
              Undo
            </Button>
          </Group>
        ),
        autoClose: 10_000,
      });
    } catch (error) {
      setRefusal(sentenceOf(error));
    }
  };
  return (
    // No <form>: this stands inside of the flag's own.
    <div>
      <TextInput
        type="url"
        label={LABEL}
        description={DESCRIPTION}
        placeholder={mayEdit ? PLACEHOLDER : "None"}
        autoComplete="off"
        readOnly={!mayEdit}
        value={typed}
        error={refusal ?? (url === saved ? null : problem)}
        onChange={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          if (mayTell) void tell();
        }}
      />
      {webhook?.enabled === false && (
        <Text size="sm" c="var(--quiet)" mt={4}>
          It is disabled{webhook.disabled_reason === null ? "" : `: ${webhook.disabled_reason}`}.{" "}
          <Anchor component={Link} to={paths.webhook(webhook.id)} inherit>
            Enable it
          </Anchor>
        </Text>
      )}
      {mayEdit && (
        <Group gap="xs" mt="xs">
          {url !== "" && url !== saved && (
            <Button
              size="xs"
              disabled={!mayTell}
              loading={create.isPending || change.isPending}
              onClick={() => void tell()}
            >
              {webhook === undefined ? "Tell this address" : "Tell this address instead"}
            </Button>
          )}
          {url !== saved && webhook !== undefined && (
            <Button size="xs" variant="default" onClick={() => setTyped(saved)}>
              Keep the old one
            </Button>
          )}
          {webhook !== undefined && url === saved && (
            <>
              <Button size="xs" variant="default" loading={tryOut.isPending} onClick={() => tryOut.mutate(webhook.id)}>
                Try it out
              </Button>
              <Button size="xs" variant="default" loading={remove.isPending} onClick={() => void takeAway(webhook)}>
                Remove
              </Button>
              <Button size="xs" variant="subtle" component={Link} to={paths.webhook(webhook.id)}>
                When it is told, and deliveries
              </Button>
            </>
          )}
        </Group>
      )}
      <AttemptShown tryOut={tryOut} />
    </div>
  );
}

/** Which other webhooks tell of this flag already, so that nobody is told twice. */
function AlsoTold({ app, flag }: { app: string; flag: string | null }) {
  const { data: webhooks } = useQuery(webhooksQuery);
  if (webhooks === undefined) return null;
  const own = flag === null ? undefined : slackOf(webhooks, app, flag);
  const others = webhooks.filter((each) => each.id !== own?.id && each.enabled && tellsOf(each, app, flag));
  if (others.length === 0) return null;
  return (
    <Text size="sm" c="var(--quiet)">
      Also told of this flag:{" "}
      {others.map((each, index) => (
        <span key={each.id}>
          {index > 0 && ", "}
          <Anchor component={Link} to={paths.webhook(each.id)} inherit>
            {each.name}
          </Anchor>{" "}
          ({each.flag !== null ? "about this flag" : each.app !== null ? `about all of ${app}` : "about all apps"})
        </span>
      ))}
      .
    </Text>
  );
}
