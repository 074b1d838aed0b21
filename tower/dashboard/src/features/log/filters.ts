import type { paths as Api } from "@/api/schema";

type LogQuery = NonNullable<Api["/log"]["get"]["parameters"]["query"]>;

/** Which entries are looked at: the parameters of the API under their own names, as they stand in the page's address. */
export interface Filters {
  q: string;
  action: string;
  kind: string;
  actor: string;
  /** Over all apps only; within an app the path says it. */
  app: string;
  key: string;
  /** ISO 8601 in UTC, or "". `to` is exclusive. */
  from: string;
  to: string;
  /** Whether steps of recoveries and repeated entries are left out. */
  hideSteps: boolean;
}

/** What a timeline is of. */
export interface Where {
  app: string | null;
  /** Only with an app: the flag and its circuit. */
  flag: string | null;
}

const TEXTS = ["q", "action", "kind", "actor", "app", "key", "from", "to"] as const;

export const NO_FILTERS: Filters = {
  q: "",
  action: "",
  kind: "",
  actor: "",
  app: "",
  key: "",
  from: "",
  to: "",
  hideSteps: true,
};

/** Read the filters out of the page's address; times that are none are left out. */
export function filtersOf(search: URLSearchParams): Filters {
  const filters = { ...NO_FILTERS, hideSteps: search.get("hide_steps") !== "false" };
  for (const name of TEXTS) {
    const text = search.get(name) ?? "";
    filters[name] = (name === "from" || name === "to") && Number.isNaN(Date.parse(text)) ? "" : text;
  }
  return filters;
}

/** Write filters as the query of an address; what is not set is left out. */
export function searchOf(filters: Filters): URLSearchParams {
  const search = new URLSearchParams();
  for (const name of TEXTS) if (filters[name] !== "") search.set(name, filters[name]);
  if (!filters.hideSteps) search.set("hide_steps", "false");
  return search;
}

/** What the API is asked. In an app, or of a flag, the path says which. */
export function queryOf(filters: Filters, where: Where): LogQuery {
  const asked = Object.fromEntries(searchOf(effective(filters, where))) as LogQuery;
  return { ...asked, hide_steps: filters.hideSteps };
}

/** The filters that count here: those that the path has already said are not said again. */
function effective(filters: Filters, where: Where): Filters {
  return {
    ...filters,
    app: where.app === null ? filters.app : "",
    key: where.flag === null ? filters.key : "",
  };
}

/** The address of the export of what is looked at. It has one path for all, so that app and flag are parameters. */
export function exportUrl(filters: Filters, where: Where, format: "csv" | "jsonl"): string {
  const search = searchOf({
    ...filters,
    app: where.app ?? filters.app,
    key: where.flag ?? filters.key,
    // A segment of the same key is no part of the flag's log.
    kind: where.flag !== null && filters.kind === "" ? "flag,circuit" : filters.kind,
  });
  search.set("hide_steps", String(filters.hideSteps));
  search.set("format", format);
  return `/api/v1/log/export?${search}`;
}

/** How many filters are set, apart from what the path says. */
export function countSet(filters: Filters, where: Where): number {
  const counted = effective(filters, where);
  return TEXTS.filter((name) => counted[name] !== "").length;
}
