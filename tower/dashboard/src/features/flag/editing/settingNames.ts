import { count, exactSpan, percent } from "@/components/numbers";

/**
 * What people call the fields of a flag, and how their values are written. The names are those of the log's sentences
 * (`tower/tailslide_tower/audit/changes_in_words.py`).
 */
const NAMES: Readonly<Record<string, string>> = {
  name: "name",
  description: "description",
  tags: "tags",
  owner: "owner",
  lifetime: "lifetime",
  expected_end: "expected end",
  active: "on or off",
  type: "type",
  variants: "variants",
  off_variant: "off variant",
  split: "split",
  bucket_by: "bucketing attribute",
  requires: "prerequisites",
  metadata: "metadata",
  rollout: "rollout",
  allow: "allow list",
  deny: "deny list",
  rules: "rules",
  salt: "salt",
  circuit: "circuit",
  "circuit.forced_open": "held off",
  "circuit.window_ms": "window",
  "circuit.long_window_ms": "long window",
  "circuit.min_calls": "fewest calls judged",
  "circuit.confidence": "confidence",
  "circuit.error_threshold": "error threshold",
  "circuit.failure_statuses": "failure statuses",
  "circuit.slow_call_ms": "slow-call limit",
  "circuit.slow_threshold": "slow-call threshold",
  "circuit.local_guard": "local guard",
  "circuit.local_guard.consecutive_failures": "failed connections of the local guard",
  "circuit.local_guard.max_ms": "longest time of the local guard",
  "circuit.recovery": "recovery",
  "circuit.recovery.delay_ms": "recovery delay",
  "circuit.recovery.max_delay_ms": "longest recovery delay",
  "circuit.recovery.initial": "first recovery step",
  "circuit.recovery.increment": "recovery increment",
  "circuit.recovery.interval_ms": "recovery interval",
  "circuit.recovery.profile": "recovery profile",
};

const PERCENTAGES = new Set(["rollout", "error_threshold", "slow_threshold", "initial", "increment"]);

/** `error threshold`, `metadata ticket` */
export function nameOf(path: readonly string[]): string {
  const whole = path.join(".");
  return NAMES[whole] ?? `${NAMES[path[0] ?? ""] ?? path[0]} ${path.slice(1).join(".")}`;
}

/** A single value with its unit: `25%`, `10 s`, `off`, `none`; texts as they are. */
export function valueInWords(path: readonly string[], value: unknown): string {
  const last = path.at(-1) ?? "";
  if (value === null || value === undefined || value === "") return "none";
  if (typeof value === "number") {
    if (PERCENTAGES.has(last)) return percent(value);
    if (last.endsWith("_ms")) return exactSpan(value);
    return last === "confidence" ? String(value) : count(value);
  }
  if (typeof value === "boolean") return last === "active" ? (value ? "on" : "off") : value ? "yes" : "no";
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) {
    return value.length === 0 ? "none" : value.join(", ");
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
