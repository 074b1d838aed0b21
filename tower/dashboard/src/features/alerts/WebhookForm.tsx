import { Alert, Button, Checkbox, Group, Radio, Select, Spoiler, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ProblemError } from "@/api/problem";
import { useRights } from "@/api/session";
import { appsQuery } from "@/features/apps/api";
import { sentence } from "./AttemptShown";
import { adviceFor } from "./advice";
import styles from "./alerts.module.css";
import type { Occasion, Webhook } from "./api";
import { FlagChoice } from "./FlagChoice";
import { DEFAULT_OCCASIONS, OCCASIONS } from "./occasions";
import { slackUrlProblem } from "./slack";

/** What the form gives; kind and scope cannot be changed later. */
export type WebhookFields = Pick<Webhook, "name" | "kind" | "url" | "app" | "flag" | "occasions">;

export function newWebhook(app: string | null): WebhookFields {
  return { name: "", kind: "slack", url: "", app, flag: null, occasions: [...DEFAULT_OCCASIONS] };
}

interface WebhookFormProps {
  initial: WebhookFields;
  /** Whether there is one already: then kind and scope stay. */
  made: boolean;
  submit: (fields: WebhookFields) => void;
  pending: boolean;
  error: unknown;
  cancel: () => void;
}

/** The form of a webhook, new or there already. */
export function WebhookForm({ initial, made, submit, pending, error, cancel }: WebhookFormProps) {
  const [fields, setFields] = useState(initial);
  const set = (some: Partial<WebhookFields>) => setFields((now) => ({ ...now, ...some }));
  const problem = error instanceof ProblemError ? error : null;
  const at = (field: string) => (problem?.field === field ? sentence(problem.message) : null);
  const { mayAdmin } = useRights();
  const hasScope = made || fields.app !== null || mayAdmin();
  const ready = hasScope && fields.name.trim() !== "" && fields.url.trim() !== "" && fields.occasions.length > 0;
  const send = (event: FormEvent) => {
    event.preventDefault();
    submit({ ...fields, name: fields.name.trim(), url: fields.url.trim() });
  };
  const urlProblem =
    at("url") ?? (fields.kind === "slack" && fields.url !== initial.url ? slackUrlProblem(fields.url) : null);
  return (
    <form onSubmit={send}>
      <Stack maw={720} gap="lg">
        {!made && (
          <Radio.Group
            label="Kind"
            value={fields.kind}
            onChange={(kind) => set({ kind: kind as WebhookFields["kind"] })}
          >
            <Stack gap="xs" mt={4}>
              <Radio
                value="slack"
                label="Slack"
                description="Or a chat that takes the same format, such as Mattermost."
              />
              <Radio
                value="generic"
                label="Signed JSON"
                description="For a program of your own: signed after the Standard Webhooks specification."
              />
            </Stack>
          </Radio.Group>
        )}
        <TextInput
          label="Name"
          description="Where it leads, for people: a channel or a team."
          placeholder={fields.kind === "slack" ? "#payments" : "Incident bot"}
          required
          withAsterisk={false}
          maxLength={200}
          value={fields.name}
          error={at("name")}
          onChange={(event) => set({ name: event.currentTarget.value })}
        />
        <div>
          <TextInput
            type="url"
            label="Address"
            description="Whoever has it can post there, so only those who may change this webhook see all of it."
            placeholder={
              fields.kind === "slack" ? "https://hooks.slack.com/services/…" : "https://bot.example.org/tailslide"
            }
            required
            withAsterisk={false}
            autoComplete="off"
            value={fields.url}
            error={urlProblem}
            onChange={(event) => set({ url: event.currentTarget.value })}
          />
          {problem?.field === "url" && <Advice error={problem.message} />}
        </div>
        {!made && <Scope fields={fields} set={set} appError={at("app")} flagError={at("flag")} />}
        <Occasions chosen={fields.occasions} change={(occasions) => set({ occasions })} />
        {error !== null && error !== undefined && !["name", "url", "app", "flag"].includes(problem?.field ?? "") && (
          <Alert color="gray" variant="outline" role="alert" title="It was not saved">
            {sentence(error instanceof Error ? error.message : String(error))}
          </Alert>
        )}
        <Group gap="xs">
          <Button type="submit" loading={pending} disabled={!ready}>
            {made ? "Save" : "Make the webhook"}
          </Button>
          <Button variant="default" onClick={cancel}>
            {made ? "Discard" : "Cancel"}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Advice({ error }: { error: string }) {
  const advice = error.includes("TAILSLIDE_ALERT_ALLOWED_NETWORKS") ? adviceFor(null, error) : null;
  return advice === null ? null : (
    <Text size="sm" c="var(--quiet)" mt={4}>
      {advice}
    </Text>
  );
}

interface ScopeProps {
  fields: WebhookFields;
  set: (some: Partial<WebhookFields>) => void;
  appError: string | null;
  flagError: string | null;
}

const ALL_APPS = "All apps";

/** What the webhook is about: all apps, for admins; an app with all its flags; or one flag. */
function Scope({ fields, set, appError, flagError }: ScopeProps) {
  const { mayAdmin, mayEdit } = useRights();
  const { data: apps = [] } = useQuery(appsQuery);
  const own = apps.map(({ key }) => key).filter((key) => mayEdit(key));
  const data = mayAdmin() ? [{ value: "", label: ALL_APPS }, ...own.map((key) => ({ value: key, label: key }))] : own;
  return (
    <Group grow align="flex-start">
      <Select
        label="About"
        description="Alerts that concern all apps come in any case."
        data={data}
        searchable
        allowDeselect={false}
        value={fields.app ?? (mayAdmin() ? "" : null)}
        error={appError}
        onChange={(app) => set({ app: app === "" ? null : app, flag: null })}
      />
      {fields.app !== null && (
        <FlagChoice app={fields.app} flag={fields.flag} error={flagError} choose={(flag) => set({ flag })} />
      )}
    </Group>
  );
}

function Occasions({ chosen, change }: { chosen: readonly Occasion[]; change: (occasions: Occasion[]) => void }) {
  return (
    <Checkbox.Group
      label="When"
      description="Choose at least one."
      value={[...chosen]}
      error={chosen.length === 0 ? "A webhook that is told of nothing is no use: disable it instead." : null}
      onChange={(occasions) => change(occasions as Occasion[])}
    >
      <Stack gap="sm" mt="xs">
        {OCCASIONS.map(({ occasion, name, when, example }) => (
          <div key={occasion}>
            <Checkbox value={occasion} label={name} description={when} />
            <Spoiler
              ml={32}
              maxHeight={0}
              showLabel="What it says"
              hideLabel="Hide what it says"
              transitionDuration={0}
              styles={{ control: { fontSize: 13 } }}
            >
              <div className={styles.example}>{example}</div>
            </Spoiler>
          </div>
        ))}
      </Stack>
    </Checkbox.Group>
  );
}
