import { count, counted, roughSpan } from "@/components/numbers";
import type { Sidecar } from "./api";

/** How sidecars are sorted: those that somebody should look at first. */
const RANKS: Readonly<Record<Sidecar["status"], number>> = { silent: 0, behind: 1, current: 2 };

/** Sort sidecars: those that lag or refuse a ruleset first, then by app and name. */
export function byUrgency(sidecars: readonly Sidecar[]): Sidecar[] {
  const rank = (each: Sidecar) => (each.status === "current" && each.refused_count > 0 ? 1.5 : RANKS[each.status]);
  return sidecars.toSorted(
    (one, other) =>
      rank(one) - rank(other) || one.app.localeCompare(other.app) || one.instance.localeCompare(other.instance),
  );
}

export const lags = (sidecar: Sidecar): boolean => sidecar.status !== "current" || sidecar.refused_count > 0;

/** For how long nothing was heard from a sidecar that is silent. */
export function silentMs(sidecar: Pick<Sidecar, "last_heard_at">, nowMs: number): number {
  return Math.max(0, nowMs - Date.parse(sidecar.last_heard_at));
}

/** What is true of all of them, in a sentence: `11 of 12 are up to date; cart-7 has been silent for 40 s.` */
export function summary(sidecars: readonly Sidecar[], nowMs: number): string {
  const total = sidecars.length;
  const of = (status: Sidecar["status"]) => sidecars.filter((each) => each.status === status);
  const [silent, behind] = [of("silent"), of("behind")];
  const refusing = sidecars.filter((each) => each.refused_count > 0 && each.status !== "silent");
  const upToDate = total - silent.length - behind.length;
  const parts =
    upToDate < total
      ? [`${count(upToDate)} of ${count(total)} ${upToDate === 1 ? "is" : "are"} up to date`]
      : [total === 1 ? "The one sidecar is up to date" : `All ${count(total)} sidecars are up to date`];
  const [longest] = silent.toSorted((one, other) => one.last_heard_at.localeCompare(other.last_heard_at));
  if (longest !== undefined) {
    const span = roughSpan(silentMs(longest, nowMs));
    parts.push(
      silent.length === 1
        ? `${longest.instance} has been silent for ${span}`
        : `${count(silent.length)} are silent, ${longest.instance} for the longest: ${span}`,
    );
  }
  const [first] = behind;
  if (first !== undefined)
    parts.push(behind.length === 1 ? `${first.instance} is behind` : `${count(behind.length)} are behind`);
  const [refuser] = refusing;
  if (refuser !== undefined) {
    parts.push(
      refusing.length === 1
        ? `${refuser.instance} cannot read ${counted(refuser.refused_count, "flag")}`
        : `${count(refusing.length)} cannot read some flags`,
    );
  }
  return `${parts.join("; ")}.`;
}

/** The versions that run, most common first; more than one is worth a word. */
export function versionsOf(sidecars: readonly Sidecar[]): [version: string, sidecars: number][] {
  const versions = new Map<string, number>();
  for (const { version } of sidecars) versions.set(version, (versions.get(version) ?? 0) + 1);
  return [...versions].toSorted(([one, many], [other, more]) => more - many || one.localeCompare(other));
}

/** Some names, and how many more there are of `total`. */
export function some(names: readonly string[], total: number, most = 5): string {
  const named = names.slice(0, most);
  return total > named.length ? `${named.join(", ")} and ${count(total - named.length)} more` : named.join(", ");
}
