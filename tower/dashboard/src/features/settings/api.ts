import { queryOptions, type UseMutationResult, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, dataOf, type Schemas } from "@/api/client";

export type User = Schemas["UserOut"];
export type Invitation = Schemas["InvitationOut"];
export type ViewerLink = Schemas["LinkOut"];
export type Roles = Pick<User, "role" | "apps">;

const PAGE = 500;

/** Read all pages of a list, one after another. */
async function all<Page extends { next: string | null }, Item>(
  read: (query: { limit: number; after: string }) => Promise<Page>,
  itemsOf: (page: Page) => Item[],
): Promise<Item[]> {
  const items: Item[] = [];
  let after = "";
  for (;;) {
    const page = await read({ limit: PAGE, after });
    items.push(...itemsOf(page));
    if (page.next === null) return items;
    after = page.next;
  }
}

export const accountQuery = queryOptions({
  queryKey: ["account"],
  queryFn: async () => dataOf(await api.GET("/account")),
});

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: async () => dataOf(await api.GET("/account/sessions")).sessions,
});

export const usersQuery = queryOptions({
  queryKey: ["users"],
  queryFn: () =>
    all(
      async (query) => dataOf(await api.GET("/users", { params: { query } })),
      (page) => page.users,
    ),
});

export const invitationsQuery = queryOptions({
  queryKey: ["invitations"],
  queryFn: () =>
    all(
      async (query) => dataOf(await api.GET("/invitations", { params: { query } })),
      (page) => page.invitations,
    ),
});

export const linksQuery = queryOptions({
  queryKey: ["links"],
  queryFn: () =>
    all(
      async (query) => dataOf(await api.GET("/links", { params: { query } })),
      (page) => page.links,
    ),
});

/** Do something at Tower, and read those lists again that it has changed. */
export function useDoing<Given = void, Done = unknown>(
  doing: (given: Given) => Promise<Done>,
  ...changes: readonly string[]
): UseMutationResult<Done, Error, Given> {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: doing,
    onSuccess: async () => {
      await Promise.all(changes.map((name) => queries.invalidateQueries({ queryKey: [name] })));
    },
  });
}
