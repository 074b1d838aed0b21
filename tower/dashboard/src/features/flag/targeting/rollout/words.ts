import { counted, percent } from "@/components/numbers";
import type { Draft } from "@/features/flag/editing/draft";

/** Who is in by the flag's own rollout, before it is saved. */
export function rolloutInWords({ rollout, bucket_by, rules }: Pick<Draft, "rollout" | "bucket_by" | "rules">): string {
  const of = rules.length > 0 ? " whom no rule matches" : "";
  if (rollout === 0) return `Nobody${of === "" ? "" : of} is in by the rollout; users on the allow list are.`;
  if (rollout === 100) return `Everybody${of} is in.`;
  if (bucket_by !== null) {
    return `About ${percent(rollout)} of the values of ${bucket_by}${of === "" ? "" : ", of users whom no rule matches,"} are in: all users with the same value, or none of them. Calls without ${bucket_by} get the off variant.`;
  }
  return `About ${percent(rollout)} of users${of} are in, always the same ones.`;
}

/** What a change of the rollout does to users; null where there is none. */
export function rolloutChangeInWords(
  before: Pick<Draft, "rollout" | "bucket_by">,
  after: Pick<Draft, "rollout" | "bucket_by">,
): string | null {
  if (before.bucket_by !== after.bucket_by && after.rollout > 0 && after.rollout < 100) {
    return "Others are in than now: users are told apart by something else.";
  }
  const difference = after.rollout - before.rollout;
  if (difference === 0) return null;
  // Kept to the third decimal, which is the finest step of a rollout.
  const part = percent(Math.round(Math.abs(difference) * 1000) / 1000);
  if (difference > 0) return `Users who are in stay in; about ${part} of users come in.`;
  return `About ${part} of users lose it; the others who are in stay in.`;
}

/** How many sidecars a change goes to. */
export function reachInWords(sidecars: number): string {
  return sidecars === 0 ? "No sidecar is connected now." : `It goes to ${counted(sidecars, "sidecar")} at once.`;
}
