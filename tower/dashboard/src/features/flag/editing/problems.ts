import type { ProblemError } from "@/api/problem";

/** What refuses something: all that `problemAt` needs of `Editing`, so that other forms can use it as well. */
interface Refused {
  problem: ProblemError | null;
}

/** The server writes places as `rules.0.when` or as `rules[0].when`; here they are always written with dots. */
export function fieldPath(field: string): string {
  return field.replace(/\[["']?([^\]"']+)["']?\]/g, ".$1");
}

function isWithin(field: string, path: string): boolean {
  return field === path || field.startsWith(`${path}.`);
}

/**
 * The sentence about what was refused at one control, for its `error`: `problemAt(editing, "rules.0.rollout")`. What lies
 * deeper than the control's path counts as its own, so give the path of the control and not of a group of them.
 */
export function problemAt({ problem }: Refused, path: string): string | null {
  if (problem === null || problem.field === null) return null;
  return isWithin(fieldPath(problem.field), path) ? problem.message : null;
}

/** Whether what was refused lies in a group of controls, such as a rule that is folded: `problemIn(editing, "rules.0")`. */
export function problemIn(refused: Refused, path: string): boolean {
  return problemAt(refused, path) !== null;
}

/** The pages of a flag that have fields. */
export type FieldTab = "targeting" | "circuit" | "settings";

const ON_SETTINGS = new Set(["name", "description", "tags", "owner", "lifetime", "expected_end", "metadata", "salt"]);
const ON_TARGETING = new Set([
  "requires",
  "allow",
  "deny",
  "rules",
  "rollout",
  "split",
  "variants",
  "off_variant",
  "type",
  "bucket_by",
]);

/** On which page of the flag a field stands; null for what stands on none, such as a header. */
export function tabOf(field: string): FieldTab | null {
  const [first = ""] = fieldPath(field).split(".");
  if (first === "circuit") return "circuit";
  if (ON_SETTINGS.has(first)) return "settings";
  return ON_TARGETING.has(first) ? "targeting" : null;
}
