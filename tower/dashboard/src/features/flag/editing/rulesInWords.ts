import { percent } from "@/components/numbers";
import type { Draft } from "./draft";

type Rule = Draft["rules"][number];

/** How a rule is called: by its name, or by its place, counted from 1. */
export function ruleName(rule: Rule, place: number): string {
  return rule.name ? `“${rule.name}”` : String(place + 1);
}

const OPERATORS: Readonly<Record<Rule["when"][number]["operator"], string>> = {
  in: "is one of",
  not_in: "is none of",
  equals: "is",
  contains: "contains",
  starts_with: "begins with",
  ends_with: "ends with",
  matches: "matches",
  lt: "<",
  le: "≤",
  gt: ">",
  ge: "≥",
  before: "is before",
  after: "is after",
  ip_in: "is in the network",
  semver_eq: "is version",
  semver_lt: "is a version before",
  semver_le: "is at most version",
  semver_gt: "is a version after",
  semver_ge: "is at least version",
  semver_in: "is a version in",
  exists: "is present:",
  in_segment: "is in the segment",
};

/** A rule in a line: `country is one of DE, FR → 50%`. */
export function ruleInWords(rule: Rule): string {
  const conditions = rule.when.map(
    ({ attribute, operator, values, negate }) =>
      `${negate ? "not: " : ""}${attribute} ${OPERATORS[operator]} ${(values ?? []).map(String).join(", ")}`,
  );
  const gives = [
    rule.variant ? [rule.variant] : [percent(rule.rollout ?? 100)],
    rule.split ? [rule.split.map(({ variant, weight }) => `${variant} ${weight}`).join(" : ")] : [],
  ].flat();
  return `${conditions.join(" and ") || "everybody"} → ${gives.join(", ")}`;
}
