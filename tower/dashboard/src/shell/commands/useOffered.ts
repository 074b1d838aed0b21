import { useMantineColorScheme } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, dataOf, type Schemas } from "@/api/client";
import { useRights } from "@/api/session";
import { appsQuery } from "@/features/apps/api";
import { paths } from "../paths";
import { inScope, useScope } from "../scope";
import { SUBJECTS } from "../subjects";
import type { Command } from "./registry";

type Flag = Schemas["FlagOut"];
type Pages = { pages: Schemas["FlagList"][] };

const FOUND_AT_MOST = 20;

export const flagCommand = ({ app, key, name }: Pick<Flag, "app" | "key" | "name">): Command => ({
  id: `flag ${app}.${key}`,
  name,
  hint: name === key ? app : `${key} in ${app}`,
  group: "Flags",
  to: paths.flag(app, key),
});

/** The flags whose name or key may be meant: those that the page has read, and those that Tower finds. */
export function useFlagCommands(query: string): Command[] {
  const queries = useQueryClient();
  const [asked] = useDebouncedValue(query.trim(), 200);
  const { data } = useQuery({
    queryKey: ["found-flags", asked],
    queryFn: async () =>
      dataOf(await api.GET("/flags", { params: { query: { q: asked, limit: FOUND_AT_MOST } } })).flags,
    enabled: asked.length > 0,
    staleTime: 10_000,
    placeholderData: keepPreviousData,
  });
  const wanted = query.trim() !== "";
  return useMemo(() => {
    if (!wanted) return [];
    const read = queries.getQueriesData<Pages>({ queryKey: ["flags"] }).flatMap(([, lists]) => lists?.pages ?? []);
    return [...read.flatMap(({ flags }) => flags), ...(data ?? [])].map(flagCommand);
  }, [queries, wanted, data]);
}

/** Pages, apps and actions that are there on every page. */
export function useOffered(showShortcuts: () => void): Command[] {
  const app = useScope();
  const { data: apps = [] } = useQuery(appsQuery);
  const { mayEdit, mayAdmin, principal } = useRights();
  const { setColorScheme } = useMantineColorScheme();
  return useMemo(() => {
    const commands: Command[] = [];
    const page = (of: string | null, { name, page }: (typeof SUBJECTS)[number]): Command => ({
      id: `page ${page} of ${of ?? "all"}`,
      name: of === null || page === "" ? name : `${name} of ${of}`,
      hint: of === null ? "All apps" : of,
      group: "Pages",
      to: inScope(of, page),
    });
    const newFlag = (of: string): Command => ({
      id: `new flag in ${of}`,
      name: `New flag in ${of}`,
      group: "Actions",
      to: paths.newFlag(of),
    });
    if (app !== null) {
      if (mayEdit(app)) commands.push(newFlag(app));
      commands.push(...SUBJECTS.map((subject) => page(app, subject)));
    } else if (mayEdit()) {
      commands.push({ id: "new flag", name: "New flag", group: "Actions", to: paths.newFlag(null) });
    }
    if (mayAdmin()) commands.push({ id: "new app", name: "New app", group: "Actions", to: paths.newApp });
    commands.push(...SUBJECTS.map((subject) => page(null, subject)));
    commands.push(
      { id: "apps", name: "Apps", group: "Pages", to: paths.apps },
      { id: "settings", name: "Settings", group: "Pages", to: "/settings" },
    );
    if (principal?.kind === "user") {
      commands.push({ id: "account", name: "Your account", group: "Pages", to: paths.account });
    }
    for (const { key, name, environment } of apps) {
      const hint = [name === key ? null : key, environment].filter((each) => each !== null).join(", ");
      commands.push({ id: `app ${key}`, name, hint, group: "Apps", to: paths.app(key) });
    }
    for (const { key } of apps.filter(({ key }) => key !== app)) {
      commands.push(...SUBJECTS.slice(1).map((subject) => page(key, subject)));
      if (mayEdit(key)) commands.push(newFlag(key));
    }
    commands.push(
      { id: "light", name: "Light", hint: "How it looks", group: "Actions", run: () => setColorScheme("light") },
      { id: "dark", name: "Dark", hint: "How it looks", group: "Actions", run: () => setColorScheme("dark") },
      {
        id: "as the system",
        name: "Light or dark as the system",
        hint: "How it looks",
        group: "Actions",
        run: () => setColorScheme("auto"),
      },
      { id: "shortcuts", name: "Shortcuts of the keyboard", group: "Actions", run: showShortcuts },
    );
    return commands;
  }, [app, apps, mayEdit, mayAdmin, principal, setColorScheme, showShortcuts]);
}
