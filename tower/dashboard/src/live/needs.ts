import type { Schemas } from "@/api/client";

/** What one part of the page wants to follow beyond that which all pages follow. */
export interface Need {
  /** Flags, as `<app>.<flag>`, whose state is looked at again every second, for calls and times in it. */
  refresh?: readonly string[];
  /** Flags whose graph points are wanted. */
  points?: readonly string[];
  /** How often points come; with several needs the shortest counts. */
  everyMs?: number;
}

const REFRESHED_AT_MOST = 20;
const FLAGS_AT_MOST = 500;

/** Put what all parts need into the one subscription of the page. What is beyond Tower's bounds is left out. */
export function subscriptionFor(needs: Iterable<Need>): Schemas["SubscribeFields"] {
  const refresh = new Set<string>();
  const points = new Set<string>();
  let everyMs = 60_000;
  for (const need of needs) {
    for (const flag of need.refresh ?? []) refresh.add(flag);
    for (const flag of need.points ?? []) points.add(flag);
    if (need.points?.length) everyMs = Math.min(everyMs, need.everyMs ?? 1000);
  }
  const flags = [...refresh].slice(0, REFRESHED_AT_MOST);
  return {
    apps: "*",
    log: true,
    sidecars: true,
    snapshot: false,
    flags,
    refresh_ms: flags.length ? 1000 : null,
    points: points.size ? { flags: [...points].sort().slice(0, FLAGS_AT_MOST), every_ms: everyMs } : null,
  };
}
