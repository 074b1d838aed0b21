import { api, dataOf } from "@/api/client";
import type { Webhook } from "./api";

/** Whether a text may be a Slack incoming webhook, or one of a chat that takes the same format; "" is none. */
export function slackUrlProblem(text: string): string | null {
  const url = text.trim();
  if (url === "") return null;
  if (/\s/.test(url)) return "An address has no spaces. Copy it from Slack's page of the incoming webhook.";
  if (!URL.canParse(url)) return "Paste the whole address: https://hooks.slack.com/services/…";
  const { protocol, hostname, pathname } = new URL(url);
  if (protocol !== "https:" && protocol !== "http:") return "The address has to begin with https://";
  if (hostname === "hooks.slack.com" && !/^\/(services|workflows|triggers)\/./.test(pathname)) {
    return "This is not a whole address of Slack: https://hooks.slack.com/services/…";
  }
  return null;
}

/** The webhook that the flag's own form shows: the oldest to Slack about this flag alone. */
export function slackOf(webhooks: readonly Webhook[], app: string, flag: string): Webhook | undefined {
  return webhooks
    .filter((each) => each.kind === "slack" && each.app === app && each.flag === flag)
    .sort((one, other) => one.created_at.localeCompare(other.created_at))[0];
}

/** Tell a Slack address of this flag, for the occasions that webhooks have by default. Nothing is made for "". */
export async function saveSlackAddress(app: string, flag: string, url: string): Promise<Webhook | null> {
  if (url.trim() === "") return null;
  return dataOf(
    await api.POST("/webhooks", { body: { name: `Slack of ${flag}`, kind: "slack", url: url.trim(), app, flag } }),
  );
}
