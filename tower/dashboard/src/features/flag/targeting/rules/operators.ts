import type { Schemas } from "@/api/client";

export type Condition = Schemas["ConditionFields"];
export type Operator = Condition["operator"];

/** What the values of a condition are, and how many it takes. */
export type Takes =
  | "texts"
  | "patterns"
  | "number"
  | "time"
  | "networks"
  | "version"
  | "ranges"
  | "segments"
  | "presence";

export interface OperatorWords {
  /** What it says of an attribute, before one value; `many` before several. */
  says: string;
  many?: string;
  /** The same, negated. */
  not: string;
  notMany?: string;
  takes: Takes;
  /** Whether upper and lower case can be ignored. */
  ignoresCase?: boolean;
}

/** How operators read in a sentence, in the order in which the form offers them. */
export const OPERATORS: Readonly<Record<Operator, OperatorWords>> = {
  in: { says: "is", many: "is one of", not: "is not", notMany: "is none of", takes: "texts", ignoresCase: true },
  not_in: { says: "is not", many: "is none of", not: "is", notMany: "is one of", takes: "texts", ignoresCase: true },
  equals: {
    says: "equals",
    many: "equals one of",
    not: "does not equal",
    notMany: "equals none of",
    takes: "texts",
    ignoresCase: true,
  },
  contains: {
    says: "contains",
    many: "contains one of",
    not: "does not contain",
    notMany: "contains none of",
    takes: "texts",
    ignoresCase: true,
  },
  starts_with: {
    says: "begins with",
    many: "begins with one of",
    not: "does not begin with",
    notMany: "begins with none of",
    takes: "texts",
    ignoresCase: true,
  },
  ends_with: {
    says: "ends with",
    many: "ends with one of",
    not: "does not end with",
    notMany: "ends with none of",
    takes: "texts",
    ignoresCase: true,
  },
  matches: {
    says: "matches",
    many: "matches one of",
    not: "does not match",
    notMany: "matches none of",
    takes: "patterns",
    ignoresCase: true,
  },
  lt: { says: "is below", not: "is not below", takes: "number" },
  le: { says: "is at most", not: "is not at most", takes: "number" },
  gt: { says: "is above", not: "is not above", takes: "number" },
  ge: { says: "is at least", not: "is not at least", takes: "number" },
  before: { says: "is before", not: "is not before", takes: "time" },
  after: { says: "is after", not: "is not after", takes: "time" },
  ip_in: {
    says: "is an address in",
    many: "is an address in one of",
    not: "is an address outside",
    notMany: "is an address outside all of",
    takes: "networks",
  },
  semver_eq: { says: "is version", not: "is not version", takes: "version" },
  semver_lt: { says: "is a version below", not: "is not a version below", takes: "version" },
  semver_le: { says: "is a version of at most", not: "is not a version of at most", takes: "version" },
  semver_gt: { says: "is a version above", not: "is not a version above", takes: "version" },
  semver_ge: { says: "is a version of at least", not: "is not a version of at least", takes: "version" },
  semver_in: {
    says: "is a version in",
    many: "is a version in one of",
    not: "is a version outside",
    notMany: "is a version outside all of",
    takes: "ranges",
  },
  exists: { says: "is known", not: "is missing", takes: "presence" },
  in_segment: {
    says: "is in the segment",
    many: "is in one of the segments",
    not: "is not in the segment",
    notMany: "is in none of the segments",
    takes: "segments",
  },
};

/** How the form offers operators: in groups, by names that need no value behind them. */
export const OFFERED: readonly { group: string; items: { value: Operator; label: string }[] }[] = [
  {
    group: "Any value",
    items: [
      { value: "in", label: "is one of" },
      { value: "not_in", label: "is none of" },
      { value: "equals", label: "equals" },
    ],
  },
  {
    group: "Texts",
    items: [
      { value: "contains", label: "contains" },
      { value: "starts_with", label: "begins with" },
      { value: "ends_with", label: "ends with" },
      { value: "matches", label: "matches (RE2)" },
    ],
  },
  {
    group: "Numbers",
    items: [
      { value: "lt", label: "is below" },
      { value: "le", label: "is at most" },
      { value: "gt", label: "is above" },
      { value: "ge", label: "is at least" },
    ],
  },
  {
    group: "Times",
    items: [
      { value: "before", label: "is before" },
      { value: "after", label: "is after" },
    ],
  },
  {
    group: "Versions",
    items: [
      { value: "semver_eq", label: "version is" },
      { value: "semver_lt", label: "version is below" },
      { value: "semver_le", label: "version is at most" },
      { value: "semver_gt", label: "version is above" },
      { value: "semver_ge", label: "version is at least" },
      { value: "semver_in", label: "version is in the range" },
    ],
  },
  { group: "Networks", items: [{ value: "ip_in", label: "address is in" }] },
  {
    group: "Others",
    items: [
      { value: "in_segment", label: "is in segment" },
      { value: "exists", label: "is known or missing" },
    ],
  },
];

/** What stands in the empty field of an operator's values. */
export const EXAMPLES: Readonly<Record<Takes, string>> = {
  texts: "DE, AT, CH",
  patterns: "^test-[0-9]+$",
  number: "18",
  time: "2026-11-28T17:00:00Z",
  networks: "10.0.0.0/8",
  version: "2.1.0",
  ranges: "^2.1 or >=1.9 <1.10",
  segments: "",
  presence: "",
};

const SINGLE: ReadonlySet<Takes> = new Set(["number", "time", "version"]);

/** Whether an operator takes exactly one value. */
export function takesOne(operator: Operator): boolean {
  return SINGLE.has(OPERATORS[operator].takes);
}

/** The attribute that stands for the targeting key. */
export const TARGETING_KEY = "targetingKey";

/** Return a condition with another operator: values stay where the new one can have them. */
export function withOperator(condition: Condition, operator: Operator): Condition {
  const [before, after] = [OPERATORS[condition.operator], OPERATORS[operator]];
  const values = condition.values ?? [];
  const apart = (["segments", "presence"] as const).some((kind) => (before.takes === kind) !== (after.takes === kind));
  const kept = apart ? [] : takesOne(operator) ? values.slice(0, 1) : values;
  return {
    ...condition,
    operator,
    values: after.takes === "presence" ? [true] : kept.map((value) => conditionValue(String(value), operator)),
    ignore_case: after.ignoresCase === true && condition.ignore_case === true,
    attribute: condition.attribute,
  };
}

/**
 * Return what a person has written as the value of a condition. Numbers are sent as such only where numbers are
 * compared: as a text, `5` equals the text and the number, and no digit of a long one is lost.
 */
export function conditionValue(written: string, operator: Operator): string | number {
  if (OPERATORS[operator].takes !== "number") return written;
  const number = Number(written);
  const exact =
    written.trim() !== "" && Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number));
  return exact ? number : written;
}
