import { count, counted, percent } from "@/components/numbers";
import type { Flag } from "@/features/flags/api";

/** What is known of a flag's use when somebody is about to change it. */
export interface Use {
  /** Calls that reach the feature now; null: not known. */
  callsPerMinute: number | null;
}

/** The state that a flag is in once the last change has arrived. */
type Settled = Flag["state"]["settled"];

/** What is true beside what the team wants: `circuit open: nobody gets it`. Null where the switch says it all. */
export function whatIsTrue(flag: Flag): string | null {
  const settled: Settled = flag.state.settled;
  if (flag.archived_at !== null) return "archived: sidecars do not get it";
  switch (settled) {
    case "open":
      return "circuit open: nobody gets it";
    case "recovering":
      return `recovering: ${percent(flag.state.circuit?.percentage ?? 0)} of the rollout gets it`;
    case "held_off":
      return "held off: nobody gets it";
    case "unknown":
      return flag.active ? "what users get now is not known" : null;
    case "on":
      return flag.rollout === 100 ? null : `${whoIsIn(flag)} get${isOne(flag) ? "s" : ""} it`;
    default:
      return null;
  }
}

/** Who is in while the flag is on and its circuit closed: `25% of users`, `everybody`, `nobody but 3 users`. */
export function whoIsIn({ rollout, allow, deny, rules }: Pick<Flag, "rollout" | "allow" | "deny" | "rules">): string {
  const besides = [
    ...(allow.length > 0 ? [`${counted(allow.length, "user")} on the allow list`] : []),
    ...(rules.length > 0 ? [`whoever ${counted(rules.length, "rule")} let${rules.length === 1 ? "s" : ""} in`] : []),
  ].join(" and ");
  if (rollout === 0) return besides === "" ? "nobody" : `only ${besides}`;
  const rest =
    rollout === 100
      ? deny.length > 0
        ? `everybody but ${counted(deny.length, "user")} on the deny list`
        : "everybody"
      : `${percent(rollout)} of users`;
  if (rollout === 100 && rules.length === 0) return rest;
  return besides === "" ? rest : `${rest}, and ${besides},`;
}

function isOne({ rollout, allow, rules }: Pick<Flag, "rollout" | "allow" | "rules">): boolean {
  return (rollout === 0 || rollout === 100) && allow.length === 0 && rules.length === 0;
}

/** What turning it off or on will do, before it is pressed. */
export function ofToggling(flag: Flag, use: Use): string {
  if (!flag.active) return `Turning it on: ${becomesIn(flag)}.${stickiness(flag)}${freshCircuit(flag)} ${reach(flag)}`;
  switch (flag.state.settled) {
    case "open":
    case "held_off":
      return `Turning it off: nobody gets it either way. It does not come back by itself then. ${reach(flag)}`;
    case "unknown":
      return `Turning it off: everybody gets ${off(flag)}. ${reach(flag)}`;
    default:
      return `Turning it off: everybody gets ${off(flag)}${losing(use)}. ${reach(flag)}`;
  }
}

/** What closing the circuit will do, before it is pressed; only while it is open or recovering. */
export function ofReset(flag: Flag): string {
  const now =
    flag.state.settled === "recovering"
      ? `now ${percent(flag.state.circuit?.percentage ?? 0)} of the rollout does`
      : "now nobody does";
  return (
    `Letting users back: the circuit closes at once, and ${becomesIn(flag)} (${now}). ` +
    `If the feature still fails, it opens again. ${reach(flag)}`
  );
}

/** What ending a hold will do, before it is pressed. */
export function ofEndingTheHold(flag: Flag): string {
  return `Ending the hold: ${becomesIn(flag)}, and the circuit is judged again. ${reach(flag)}`;
}

function becomesIn(flag: Flag): string {
  const who = whoIsIn(flag);
  const comma = who.endsWith(",") ? who.slice(0, -1) : who;
  const about = flag.rollout > 0 && flag.rollout < 100 ? `about ${comma}` : comma;
  return `${about} get${isOne(flag) ? "s" : ""} ${on(flag)}`;
}

/** Who is in by a percentage stays in. */
function stickiness({ rollout }: Flag): string {
  return rollout > 0 && rollout < 100 ? " They are always the same ones." : "";
}

function freshCircuit(flag: Flag): string {
  return flag.circuit === null ? "" : flag.circuit.forced_open ? " It stays held off." : " Its circuit starts closed.";
}

function off({ off_variant, type }: Flag): string {
  return type === "boolean" && off_variant === "off" ? "the old path (“off”)" : `“${off_variant}”`;
}

function on({ type, split }: Flag): string {
  const given = split.filter(({ weight }) => weight > 0);
  if (type === "boolean" && given.length === 1) return "it";
  return given.length === 1 ? `“${given[0]?.variant}”` : "its variants";
}

function losing({ callsPerMinute }: Use): string {
  if (callsPerMinute === null) return "; how many calls that are is not known";
  if (callsPerMinute === 0) return "; no call reached the feature in the last minute";
  return `; about ${roughly(callsPerMinute)} calls a minute no longer reach the feature`;
}

/** To two digits: the rest is noise. */
function roughly(value: number): string {
  if (value < 1) return "less than one";
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return count(Math.round(value / unit) * unit);
}

function reach({ state }: Flag): string {
  const { of } = state.arrived;
  return of === 0 ? "No sidecar is running." : `It takes effect in ${counted(of, "sidecar")}, within a second.`;
}
