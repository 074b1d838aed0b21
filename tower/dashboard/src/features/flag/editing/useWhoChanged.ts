import { useQuery } from "@tanstack/react-query";
import { api, dataOf, type Schemas } from "@/api/client";
import type { News } from "./useEditing";

type Entry = Schemas["EntryOut"];

const READ = 50;

/** The entries of the log about what others changed, newest first; empty while they are being read. */
export function useWhoChanged(news: News | null): Entry[] {
  const { app, key } = news?.to ?? { app: "", key: "" };
  const [from, to] = [news?.from.version ?? 0, news?.to.version ?? 0];
  const { data = [] } = useQuery({
    queryKey: ["log", "between versions", app, key, from, to],
    queryFn: async () => {
      const params = { path: { app, flag: key }, query: { limit: READ } };
      const { entries } = dataOf(await api.GET("/apps/{app}/flags/{flag}/log", { params }));
      return entries.filter(({ version }) => version !== null && version > from && version <= to);
    },
    enabled: news !== null,
  });
  return data;
}

/** `admin@example.org`, `admin@example.org and cleo@example.org`, `Somebody` where the log does not say. */
export function namesOf(entries: readonly Entry[]): string {
  const names = [...new Set(entries.map(({ actor }) => actor.name))];
  if (names.length === 0) return "Somebody";
  if (names.length <= 2) return names.join(" and ");
  return `${names[0]} and ${names.length - 1} others`;
}
