import { Anchor, Badge, Button, Group, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { useRights } from "@/api/session";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { paths } from "@/shell/paths";
import { useScope } from "@/shell/scope";
import styles from "./alerts.module.css";
import { mayChange, type Webhook, webhooksQuery } from "./api";
import { aboutInWords, occasionName } from "./occasions";

/** Who is told when a circuit opens: the webhooks of an app, with those about all apps, or all of them. */
export function AlertsPage() {
  const app = useScope();
  const rights = useRights();
  const query = useQuery(webhooksQuery);
  const mayMake = app === null ? mayMakeAny(rights) : rights.mayEdit(app);
  const make = mayMake && (
    <Button size="xs" component={Link} to={paths.newWebhook(app)} leftSection={<IconPlus size={14} />}>
      New webhook
    </Button>
  );
  return (
    <>
      <PageHead title="Alerts" tab={app === null ? "Alerts" : `Alerts of ${app}`} actions={make}>
        <Text c="var(--quiet)">Who is told when a circuit opens, when a flag changes, or when something is amiss.</Text>
      </PageHead>
      <QueryView query={query}>
        {(webhooks) => {
          const shown = webhooks.filter((each) => app === null || each.app === null || each.app === app);
          if (shown.length === 0) {
            return (
              <EmptyState title="Nobody is told yet" action={make}>
                A webhook tells a Slack channel, or a program of your own, when a circuit opens, why, what users get,
                and when they come back. {!mayMake && "An editor can make one."}
              </EmptyState>
            );
          }
          return (
            <ul className={styles.rows} aria-label="Webhooks">
              {sorted(shown).map((webhook) => (
                <Row key={webhook.id} webhook={webhook} mayEdit={mayChange(rights, webhook.app)} />
              ))}
            </ul>
          );
        }}
      </QueryView>
    </>
  );
}

/** Over all apps a webhook can be made by whoever may edit any of them. */
function mayMakeAny({ principal, mayEdit }: ReturnType<typeof useRights>): boolean {
  return mayEdit() || Object.keys(principal?.apps ?? {}).some((app) => mayEdit(app));
}

/** About all apps first, then app by app; flags after their app. */
function sorted(webhooks: readonly Webhook[]): Webhook[] {
  const place = ({ app, flag, name }: Webhook) => [app ?? "", flag ?? "", name].join("\n");
  return [...webhooks].sort((one, other) => place(one).localeCompare(place(other)));
}

function Row({ webhook, mayEdit }: { webhook: Webhook; mayEdit: boolean }) {
  return (
    <li className={styles.row}>
      <div className={styles.wrap}>
        <Anchor component={Link} to={paths.webhook(webhook.id)} fw={600}>
          {webhook.name}
        </Anchor>
        <div className={styles.quiet}>
          {kindName(webhook.kind)} {mayEdit ? hostOf(webhook.url) : ""}
        </div>
      </div>
      <div className={styles.wrap}>About {aboutInWords(webhook)}</div>
      <div className={`${styles.wrap} ${styles.quiet}`}>{webhook.occasions.map(occasionName).join(", ")}</div>
      <EnabledBadge webhook={webhook} />
    </li>
  );
}

/** Whether a webhook is told anything now. */
export function EnabledBadge({ webhook }: { webhook: Webhook }) {
  return (
    <Group gap={4}>
      <Badge variant="outline" color={webhook.enabled ? "accent" : "gray"} tt="none">
        {webhook.enabled ? "Enabled" : "Disabled"}
      </Badge>
    </Group>
  );
}

export function kindName(kind: string): string {
  return { slack: "Slack", generic: "Signed JSON" }[kind] ?? kind;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? `at ${new URL(url).host}` : "";
}
