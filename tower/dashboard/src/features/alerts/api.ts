import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, dataOf, ifMatch, type Schemas } from "@/api/client";
import type { Rights } from "@/api/session";

export type Webhook = Schemas["WebhookOut"];
export type WebhookWithSecret = Schemas["WebhookSecretOut"];
export type WebhookCreate = Schemas["WebhookCreate"];
export type WebhookChange = Schemas["WebhookChange"];
export type Delivery = Schemas["DeliveryOut"];
export type Attempt = Schemas["AttemptOut"];
export type Occasion = Schemas["Occasion"];

/** All webhooks that the one who looks may see: about all apps, about single apps, and about flags. */
export const webhooksQuery = queryOptions({
  queryKey: ["webhooks"],
  queryFn: async (): Promise<Webhook[]> => {
    const webhooks: Webhook[] = [];
    let after: string | undefined;
    do {
      const page = dataOf(await api.GET("/webhooks", { params: { query: { limit: 500, after } } }));
      webhooks.push(...page.webhooks);
      after = page.next ?? undefined;
    } while (after !== undefined);
    return webhooks;
  },
});

export const webhookQuery = (webhook: string) =>
  queryOptions({
    queryKey: ["webhook", webhook],
    queryFn: async (): Promise<Webhook> =>
      dataOf(await api.GET("/webhooks/{webhook}", { params: { path: { webhook } } })),
  });

/** The deliveries of a webhook, newest first. Nothing announces them, so they are read again while one is looking. */
export const deliveriesQuery = (webhook: string, state: Delivery["state"] | null) =>
  infiniteQueryOptions({
    queryKey: ["webhook", webhook, "deliveries", state],
    queryFn: async ({ pageParam }): Promise<Schemas["DeliveryList"]> =>
      dataOf(
        await api.GET("/webhooks/{webhook}/deliveries", {
          params: { path: { webhook }, query: { limit: 50, after: pageParam, state: state ?? undefined } },
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 5_000,
  });

/** Whether one may change webhooks of this scope: an app's editors, and for all apps only admins. */
export function mayChange(rights: Rights, app: string | null): boolean {
  return app === null ? rights.mayAdmin() : rights.mayEdit(app);
}

/** Whether a webhook is told of a flag: it is about the flag, its app, or all apps. */
export function tellsOf(webhook: Pick<Webhook, "app" | "flag">, app: string, flag: string | null): boolean {
  return webhook.app === null || (webhook.app === app && (webhook.flag === null || webhook.flag === flag));
}

/** How webhooks are changed. Each change is taken into the cache at once. */
export function useWebhookChanges() {
  const queries = useQueryClient();
  const taken = <T extends Webhook>(webhook: T): T => {
    const { secret: _, ...shown } = webhook as Webhook & { secret?: string | null };
    queries.setQueryData(webhookQuery(webhook.id).queryKey, shown);
    void queries.invalidateQueries({ queryKey: webhooksQuery.queryKey });
    return webhook;
  };
  const create = useMutation({
    mutationFn: async (body: WebhookCreate) => taken(dataOf(await api.POST("/webhooks", { body }))),
  });
  /** Change what was read as `version`; without a version, whatever is there. */
  const change = useMutation({
    mutationFn: async ({ id, version, body }: { id: string; version?: number; body: WebhookChange }) =>
      taken(
        dataOf(
          await api.PATCH("/webhooks/{webhook}", {
            params: { path: { webhook: id }, header: ifMatch(version) },
            body,
          }),
        ),
      ),
  });
  const remove = useMutation({
    mutationFn: async (id: string) => {
      await api.DELETE("/webhooks/{webhook}", { params: { path: { webhook: id }, header: ifMatch() } });
      queries.removeQueries({ queryKey: ["webhook", id] });
      await queries.invalidateQueries({ queryKey: webhooksQuery.queryKey });
    },
  });
  const rotate = useMutation({
    mutationFn: async (id: string) =>
      taken(
        dataOf(
          await api.POST("/webhooks/{webhook}/rotate-secret", {
            params: { path: { webhook: id }, header: ifMatch() },
          }),
        ),
      ),
  });
  /** Send a sample now. Says how long the receiver took, as it was felt here. */
  const tryOut = useMutation({
    mutationFn: async (id: string): Promise<Attempt & { tookMs: number }> => {
      const began = performance.now();
      const attempt = dataOf(await api.POST("/webhooks/{webhook}/test", { params: { path: { webhook: id } } }));
      return { ...attempt, tookMs: performance.now() - began };
    },
  });
  const resend = useMutation({
    mutationFn: async ({ id, delivery }: { id: string; delivery: string }) => {
      await api.POST("/webhooks/{webhook}/deliveries/{delivery}/resend", {
        params: { path: { webhook: id, delivery } },
      });
      await queries.invalidateQueries({ queryKey: ["webhook", id, "deliveries"] });
    },
  });
  return { create, change, remove, rotate, tryOut, resend };
}
