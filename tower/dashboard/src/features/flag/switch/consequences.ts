import { count, counted, percent } from "@/components/numbers";
import type { Flag } from "@/features/flags/api";

type Targeting = Pick<Flag, "rollout" | "allow" | "deny" | "rules">;

/** What is true where it is not what the switch says: `circuit open: nobody gets it`. Null where it is. */
export function whatIsTrue({ active, archived_at, state }: Flag): string | null {
  if (archived_at !== null) return "archived: sidecars do not get it";
  switch (state.settled) {
    case "open":
      return "circuit open: nobody gets it";
    case "recovering":
      return `recovering: ${percent(state.circuit?.percentage ?? 0)} of the rollout gets it`;
    case "held_off":
      return "held off: nobody gets it";
    case "unknown":
      return active ? "what users get now is not known" : null;
    default:
      return null;
  }
}

/** Who is in while the flag is on and its circuit is closed: `about 25% of users, 3 users on the allow list`. */
export function whoIsIn({ rollout, allow, deny, rules }: Targeting): string {
  const besides = [
    ...(allow.length > 0 ? [`${counted(allow.length, "user")} on the allow list`] : []),
    ...(rules.length > 0 ? [`whoever ${rules.length === 1 ? "its rule lets" : "its rules let"} in`] : []),
  ].join(" and ");
  if (rollout === 0) return besides === "" ? "nobody" : `only ${besides}`;
  if (rollout < 100) return `about ${percent(rollout)} of users${besides === "" ? "" : `, ${besides}`}`;
  const out = [
    ...(deny.length > 0 ? [`${counted(deny.length, "user")} on the deny list`] : []),
    ...(rules.length > 0 ? [`those whom ${rules.length === 1 ? "its rule keeps" : "its rules keep"} out`] : []),
  ].join(" and ");
  return out === "" ? "everybody" : `everybody but ${out}`;
}

/**
 * What turning it off or on will do, before it is pressed. `callsPerMinute` are those that reach the feature now; null
 * where that is not known.
 */
export function ofToggling(flag: Flag, callsPerMinute: number | null): string {
  if (!flag.active)
    return `Turning it on gives it to ${whoIsIn(flag)}.${stickiness(flag)}${ofTheCircuit(flag)} ${reach(flag)}`;
  const { settled } = flag.state;
  if (settled === "open" || settled === "held_off") {
    return `Turned off, it does not come back by itself. ${reach(flag)}`;
  }
  return `Turning it off sends everybody to ${theOther(flag)}${losing(callsPerMinute)}. ${reach(flag)}`;
}

/** What closing the circuit will do, before it is pressed; only while it is open or recovering. */
export function ofReset(flag: Flag): string {
  const now =
    flag.state.settled === "recovering"
      ? `now ${percent(flag.state.circuit?.percentage ?? 0)} of them do`
      : "now nobody does";
  return `The circuit closes at once, and ${whoIsIn(flag)} ${get(flag)} it again (${now}). If the feature still fails, it opens again.`;
}

/** What ending a hold will do, before it is pressed. */
export function ofEndingTheHold(flag: Flag): string {
  return `At once ${whoIsIn(flag)} ${get(flag)} it again, and its circuit is judged.`;
}

function get({ rollout, allow, rules }: Targeting): string {
  return rollout === 100 || (rollout === 0 && allow.length + rules.length === 0) ? "gets" : "get";
}

function stickiness({ rollout }: Flag): string {
  return rollout > 0 && rollout < 100 ? " Who gets it keeps it." : "";
}

function ofTheCircuit({ circuit }: Flag): string {
  if (circuit === null) return " It has no circuit that would take it back.";
  return circuit.forced_open
    ? " It is held off, so nobody gets it until the hold is ended."
    : " Its circuit starts closed.";
}

function theOther({ type, off_variant }: Flag): string {
  return type === "boolean" ? "the fallback" : `the off variant “${off_variant}”`;
}

function losing(callsPerMinute: number | null): string {
  if (callsPerMinute === null) return "";
  if (callsPerMinute === 0) return "; no call has reached the feature in the last minute";
  return `; about ${roughly(callsPerMinute)} calls a minute reach the feature now`;
}

/** To two digits: the rest is noise. */
export function roughly(value: number): string {
  if (value < 1) return "one or less";
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return count(Math.round(value / unit) * unit);
}

function reach({ state: { arrived } }: Flag): string {
  if (arrived.of === 0) return "No sidecar is running.";
  return `${counted(arrived.of, "sidecar")} ${arrived.of === 1 ? "does" : "do"} so within a second.`;
}
