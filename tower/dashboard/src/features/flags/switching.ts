import { counted, percent } from "@/components/numbers";
import type { Flag } from "./api";

type Switched = Pick<Flag, "active" | "rollout" | "state" | "archived_at">;

/** Whom a flag is for when it is on: `all users`, `25% of users`. */
export function audience(rollout: number): string {
  return rollout >= 100
    ? "all users"
    : rollout <= 0
      ? "no user but those of lists and rules"
      : `${percent(rollout)} of users`;
}

/** What pressing the switch of a flag does, in words. */
export function pressing(flag: Switched): string {
  const { of } = flag.state.arrived;
  const where = of === 0 ? "" : `, in ${counted(of, "sidecar")}`;
  if (!flag.active) return `Turns it on for ${audience(flag.rollout)}${where}. Its circuit starts closed.`;
  if (flag.state.settled === "open") return "Turns it off for good. Nobody gets it now: its circuit is open.";
  return `Turns it off for everyone${where}, at once.`;
}

/** What is true once the switch was pressed. */
export function pressed(flag: Switched & { name: string }): string {
  return flag.active ? `${flag.name} is on for ${audience(flag.rollout)}.` : `${flag.name} is off for everyone.`;
}
