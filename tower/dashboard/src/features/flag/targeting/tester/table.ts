import type { Schemas } from "@/api/client";
import type { Answer } from "./evaluate";

type Reason = Schemas["Reason"];

/** What reasons mean, in a few words. */
export const REASONS: Readonly<Record<Reason, string>> = {
  FLAG_NOT_FOUND: "sidecars do not get the flag",
  DISABLED: "the flag is off",
  CIRCUIT_OPEN: "the circuit is open",
  PREREQUISITE_FAILED: "a prerequisite is not met",
  STATIC: "everybody gets the same",
  TARGETING_MATCH: "a list or a rule",
  SPLIT: "their place in a rollout or split",
  TARGETING_KEY_MISSING: "the targeting key is missing",
};

export interface Counted {
  variant: string;
  active: boolean;
  answers: number;
}
export interface CountedReason {
  reason: Reason;
  rule: string | null;
  answers: number;
}

/** How many get each variant, and for how many each reason, those of most first. */
export function tallied(answers: readonly Answer[]): { variants: Counted[]; reasons: CountedReason[] } {
  const variants = new Map<string, Counted>();
  const reasons = new Map<string, CountedReason>();
  for (const { variant, active, reason, rule } of answers) {
    const given = variant ?? "the caller's default";
    const known = variants.get(given) ?? { variant: given, active, answers: 0 };
    variants.set(given, { ...known, answers: known.answers + 1 });
    const why = `${reason} ${rule ?? ""}`;
    const before = reasons.get(why) ?? { reason, rule, answers: 0 };
    reasons.set(why, { ...before, answers: before.answers + 1 });
  }
  const most = <T extends { answers: number }>(counted: Map<string, T>) =>
    [...counted.values()].sort((a, b) => b.answers - a.answers);
  return { variants: most(variants), reasons: most(reasons) };
}

const COLUMNS = [
  "targeting_key",
  "active",
  "variant",
  "value",
  "reason",
  "rule",
  "decided_by",
  "prerequisite",
] as const;

/** The answers as CSV (RFC 4180), a line each. */
export function csvOf(answers: readonly Answer[]): string {
  const lines = answers.map((answer) => COLUMNS.map((column) => cell(answer[column])).join(","));
  return `${[COLUMNS.join(","), ...lines].join("\r\n")}\r\n`;
}

/** A text that a spreadsheet would take for a formula has ' before it, as in the log's export. */
function cell(value: unknown): string {
  const text = value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
