import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, dataOf, type Schemas } from "@/api/client";

export type Key = Schemas["KeyOut"];
export type NewKey = Schemas["NewKeyOut"];
export type Token = Schemas["TokenOut"];
export type NewToken = Schemas["NewTokenOut"];
export type TokenCreate = Schemas["TokenCreate"];

/** The SDK keys of an app that count, in the order of their ids. */
export const keysQuery = (app: string) =>
  queryOptions({
    queryKey: ["keys", app],
    queryFn: async (): Promise<Key[]> => {
      const keys: Key[] = [];
      let after: string | undefined;
      do {
        const params = { path: { app }, query: { limit: 500, after } };
        const page = dataOf(await api.GET("/apps/{app}/keys", { params }));
        keys.push(...page.keys);
        after = page.next ?? undefined;
      } while (after !== undefined);
      return keys;
    },
  });

export function useKeyChanges(app: string) {
  const queries = useQueryClient();
  const { queryKey } = keysQuery(app);
  const create = useMutation({
    mutationFn: async (name: string): Promise<NewKey> =>
      dataOf(await api.POST("/apps/{app}/keys", { params: { path: { app } }, body: { name } })),
    onSuccess: () => queries.invalidateQueries({ queryKey }),
  });
  const revoke = useMutation({
    mutationFn: async (key: string) => api.DELETE("/apps/{app}/keys/{key}", { params: { path: { app, key } } }),
    onSuccess: () => queries.invalidateQueries({ queryKey }),
  });
  return { create, revoke };
}

/** API tokens: one's own, or for admins all. */
export const tokensQuery = (mine: boolean) =>
  queryOptions({
    queryKey: ["tokens", { mine }],
    queryFn: async (): Promise<Token[]> => {
      const tokens: Token[] = [];
      let after: string | undefined;
      do {
        const page = dataOf(await api.GET("/tokens", { params: { query: { limit: 500, after, mine } } }));
        tokens.push(...page.tokens);
        after = page.next ?? undefined;
      } while (after !== undefined);
      return tokens;
    },
  });

export function useTokenChanges() {
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries({ queryKey: ["tokens"] });
  const create = useMutation({
    mutationFn: async (body: TokenCreate): Promise<NewToken> => dataOf(await api.POST("/tokens", { body })),
    onSuccess,
  });
  const rotate = useMutation({
    mutationFn: async ({ token, graceS }: { token: string; graceS: number }): Promise<NewToken> =>
      dataOf(await api.POST("/tokens/{token}/rotate", { params: { path: { token } }, body: { grace_s: graceS } })),
    onSuccess,
  });
  const revoke = useMutation({
    mutationFn: async (token: string) => api.DELETE("/tokens/{token}", { params: { path: { token } } }),
    onSuccess,
  });
  return { create, rotate, revoke };
}

/** A flag of the app for the snippets: its first one, or null where it has none. */
export const firstFlagQuery = (app: string) =>
  queryOptions({
    queryKey: ["first-flag", app],
    queryFn: async (): Promise<string | null> => {
      const params = { path: { app }, query: { limit: 1 } };
      return dataOf(await api.GET("/apps/{app}/flags", { params })).flags[0]?.key ?? null;
    },
  });
