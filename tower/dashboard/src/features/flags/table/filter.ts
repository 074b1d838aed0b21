import type { App } from "@/features/apps/api";
import { type Flag, idOf } from "../api";

/** What can be looked for by state: those of the badge, and archived flags, which no sidecar has. */
export const STATES = ["open", "recovering", "held_off", "arriving", "on", "off", "unknown", "archived"] as const;
export const STATE_NAMES: Readonly<Record<(typeof STATES)[number], string>> = {
  open: "Open",
  recovering: "Recovering",
  held_off: "Held off",
  arriving: "Arriving",
  on: "On",
  off: "Off",
  unknown: "Unknown",
  archived: "Archived",
};

export const COLUMNS = [
  "attention",
  "name",
  "state",
  "rollout",
  "calls",
  "errors",
  "arrived",
  "owner",
  "changed",
] as const;
export type Column = (typeof COLUMNS)[number];

/** Which flags a list shows, and in which order. It stands in the address, so that it can be sent as a link. */
export interface View {
  text: string;
  app: string | null;
  environment: string | null;
  tag: string | null;
  owner: string | null;
  state: (typeof STATES)[number] | null;
  sort: Column;
  descending: boolean;
  grouped: boolean;
}

export const EVERYTHING: View = {
  text: "",
  app: null,
  environment: null,
  tag: null,
  owner: null,
  state: null,
  sort: "attention",
  descending: false,
  grouped: false,
};

function among<T extends string>(known: readonly T[], wanted: string | null): T | null {
  return known.find((each) => each === wanted) ?? null;
}

/** Read a view out of an address; what is not understood counts as not given. */
export function viewOf(search: URLSearchParams): View {
  const order = search.get("sort") ?? "";
  return {
    text: search.get("q") ?? "",
    app: search.get("app"),
    environment: search.get("environment"),
    tag: search.get("tag"),
    owner: search.get("owner"),
    state: among(STATES, search.get("state")),
    sort: among(COLUMNS, order.replace(/^-/, "")) ?? "attention",
    descending: order.startsWith("-"),
    grouped: search.get("group") === "app",
  };
}

/** Write a view into an address: only what differs from the list as it is by itself. */
export function searchOf(view: View): URLSearchParams {
  const search = new URLSearchParams();
  const put = (name: string, value: string | null) => value !== null && value !== "" && search.set(name, value);
  put("q", view.text);
  put("app", view.app);
  put("environment", view.environment);
  put("tag", view.tag);
  put("owner", view.owner);
  put("state", view.state);
  if (view.sort !== "attention") search.set("sort", `${view.descending ? "-" : ""}${view.sort}`);
  if (view.grouped) search.set("group", "app");
  return search;
}

/** How many of the filters are set; the order and the groups are none. */
export function filtersIn(view: View): number {
  const { text, app, environment, tag, owner, state } = view;
  return [text, app, environment, tag, owner, state].filter((each) => each !== null && each !== "").length;
}

/** The flags that a view asks for. Each word of the text has to be in the key, name, description, tags or owner. */
export function filtered(flags: readonly Flag[], view: View, environments: ReadonlyMap<string, string | null>): Flag[] {
  const words = view.text.toLowerCase().split(/\s+/).filter(Boolean);
  return flags.filter((flag) => {
    if ((flag.archived_at !== null) !== (view.state === "archived")) return false;
    if (view.app !== null && flag.app !== view.app) return false;
    if (view.environment !== null && environments.get(flag.app) !== view.environment) return false;
    if (view.tag !== null && !flag.tags.includes(view.tag)) return false;
    if (view.owner !== null && flag.owner !== view.owner) return false;
    if (
      view.state !== null &&
      view.state !== "archived" &&
      ![flag.state.state, flag.state.settled].includes(view.state)
    )
      return false;
    if (words.length === 0) return true;
    const about = [flag.app, flag.key, flag.name, flag.description, flag.owner ?? "", ...flag.tags].join("\n");
    const text = about.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export const environmentsOf = (apps: readonly App[]): ReadonlyMap<string, string | null> =>
  new Map(apps.map(({ key, environment }) => [key, environment]));

/** What was counted of a flag lately; null where nothing was. */
export interface Measured {
  callsPerS: number | null;
  errorRate: number | null;
}

const URGENCY: Readonly<Record<Flag["state"]["settled"] | "arriving", number>> = {
  open: 0,
  recovering: 1,
  held_off: 2,
  arriving: 3,
  unknown: 4,
  on: 5,
  off: 5,
};

type Order = (one: Flag, other: Flag) => number;

const texts = new Intl.Collator(undefined, { numeric: true });

/** Compare numbers; what is not known comes last in both directions. */
function numbers(of: (flag: Flag) => number | null, descending: boolean): Order {
  return (one, other) => {
    const [left, right] = [of(one), of(other)];
    if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1;
    return descending ? right - left : left - right;
  };
}

/** The share of users that a flag is meant for, as it is true now: none while it is off or open. */
export function effectiveRollout({ rollout, state }: Flag): number {
  if (state.settled === "recovering") return (rollout * (state.circuit?.percentage ?? 100)) / 100;
  return state.settled === "on" ? rollout : 0;
}

function orderOf({ sort, descending }: View, measured: (id: string) => Measured | undefined): Order {
  const direction = descending ? -1 : 1;
  switch (sort) {
    case "attention":
      return (one, other) => URGENCY[one.state.settled] - URGENCY[other.state.settled];
    case "name":
      return (one, other) => direction * texts.compare(one.name, other.name);
    case "state":
      return (one, other) =>
        direction *
        (URGENCY[one.state.state] - URGENCY[other.state.state] || texts.compare(one.state.state, other.state.state));
    case "rollout":
      return numbers(effectiveRollout, descending);
    case "calls":
      return numbers((flag) => measured(idOf(flag))?.callsPerS ?? null, descending);
    case "errors":
      return numbers((flag) => measured(idOf(flag))?.errorRate ?? null, descending);
    case "arrived":
      return numbers(({ state: { arrived } }) => (arrived.of === 0 ? null : arrived.arrived / arrived.of), descending);
    case "owner":
      return (one, other) =>
        one.owner === null || other.owner === null
          ? Number(one.owner === null) - Number(other.owner === null)
          : direction * texts.compare(one.owner, other.owner);
    case "changed":
      return numbers((flag) => Date.parse(flag.updated_at), descending);
  }
}

/** Flags in the order of a view; those that are equal in it by app and key, so that nothing jumps. */
export function sorted(flags: readonly Flag[], view: View, measured: (id: string) => Measured | undefined): Flag[] {
  const order = orderOf(view, measured);
  return [...flags].sort(
    (one, other) => order(one, other) || texts.compare(one.app, other.app) || texts.compare(one.key, other.key),
  );
}

/** A line of the list: a flag, or the heading of an app's flags. */
export type Line = { kind: "flag"; flag: Flag } | { kind: "app"; app: string; flags: number; open: number };

/** The lines of a list; by app, the flags of each stay in their order. */
export function linesOf(flags: readonly Flag[], grouped: boolean): Line[] {
  if (!grouped) return flags.map((flag) => ({ kind: "flag", flag }));
  const groups = new Map<string, Flag[]>();
  for (const flag of flags) {
    const its = groups.get(flag.app);
    if (its === undefined) groups.set(flag.app, [flag]);
    else its.push(flag);
  }
  return [...groups.keys()].sort(texts.compare).flatMap((app): Line[] => {
    const its = groups.get(app) ?? [];
    const open = its.filter(({ state: { settled } }) => settled === "open" || settled === "recovering").length;
    return [{ kind: "app", app, flags: its.length, open }, ...its.map((flag): Line => ({ kind: "flag", flag }))];
  });
}

/** What the filters offer: the values that the flags have, in order. */
export function choicesOf(flags: readonly Flag[], environments: ReadonlyMap<string, string | null>) {
  const inOrder = (values: Iterable<string | null | undefined>) =>
    [...new Set(values)].filter((value): value is string => typeof value === "string").sort(texts.compare);
  return {
    apps: inOrder(flags.map(({ app }) => app)),
    environments: inOrder(flags.map(({ app }) => environments.get(app))),
    tags: inOrder(flags.flatMap(({ tags }) => tags)),
    owners: inOrder(flags.map(({ owner }) => owner)),
  };
}
