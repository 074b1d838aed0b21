import type { RouteObject } from "react-router";

const alerts = async () => ({ Component: (await import("./AlertsPage")).AlertsPage });
const newWebhook = async () => ({ Component: (await import("./NewWebhookPage")).NewWebhookPage });

export const routes: RouteObject[] = [
  { path: "/alerts", lazy: alerts },
  { path: "/apps/:app/alerts", lazy: alerts },
  { path: "/new-webhook", lazy: newWebhook },
  { path: "/apps/:app/new-webhook", lazy: newWebhook },
  { path: "/alerts/:webhook", lazy: async () => ({ Component: (await import("./WebhookPage")).WebhookPage }) },
];
