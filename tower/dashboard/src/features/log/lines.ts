import type { Schemas } from "@/api/client";
import { exactSpan, percent } from "@/components/numbers";

export type Change = Schemas["ChangeOut"];
export type Path = Change["path"];
type Condition = Schemas["ConditionFields"];

/** One line of a difference, for people: a value before and after, or what a list has lost and gained. */
export type Line =
  | { kind: "value"; name: string; before: Value | null; after: Value | null }
  | { kind: "list"; name: string; removed: string[]; added: string[] };

/** A value in words, or a moment, which is written in the reader's zone. */
export type Value = { text: string } | { moment: number };

const PERCENTAGES = new Set(["rollout", "error_threshold", "slow_threshold", "initial", "increment", "percentage"]);
const OUTER = new Set(["circuit", "recovery"]);

/** What people call a place, by its path; `tower/tailslide_tower/audit/changes_in_words.py` has the same names. */
const NAMES: Readonly<Record<string, string>> = {
  active: "on",
  allow: "allow list",
  deny: "deny list",
  include: "members",
  exclude: "exceptions",
  requires: "prerequisites",
  when: "conditions",
  off_variant: "off variant",
  bucket_by: "bucketing attribute",
  archived_at: "archived since",
  requires_reason: "asks for a reason",
  disabled_reason: "why it is disabled",
  url: "address",
  "circuit.forced_open": "held off",
  "circuit.window_ms": "window",
  "circuit.long_window_ms": "long window",
  "circuit.min_calls": "calls to judge from",
  "circuit.confidence": "confidence",
  "circuit.error_threshold": "error threshold",
  "circuit.slow_call_ms": "slow-call limit",
  "circuit.slow_threshold": "slow-call threshold",
  "circuit.failure_statuses": "statuses that are failures",
  "circuit.recovery.delay_ms": "recovery delay",
  "circuit.recovery.max_delay_ms": "longest recovery delay",
  "circuit.recovery.initial": "first recovery step",
  "circuit.recovery.increment": "recovery increment",
  "circuit.recovery.interval_ms": "recovery interval",
  "circuit.recovery.profile": "recovery profile",
  "circuit.local_guard.consecutive_failures": "local guard: failures in a row",
  "circuit.local_guard.max_ms": "local guard: longest pause",
};

/** The same for circuits themselves, whose members are moments and counts. */
const CIRCUIT_NAMES: Readonly<Record<string, string>> = {
  percentage: "share of the rollout that gets it",
  since_ms: "in this state since",
  next_ms: "next step",
  generation: "transitions so far",
  trips: "trips that count",
  forced_open: "held off",
  last_opening: "last opening",
};

const OPERATORS: Readonly<Record<Condition["operator"], string>> = {
  in: "is one of",
  not_in: "is none of",
  equals: "is",
  contains: "contains",
  starts_with: "starts with",
  ends_with: "ends with",
  matches: "matches",
  lt: "<",
  le: "≤",
  gt: ">",
  ge: "≥",
  before: "is before",
  after: "is after",
  ip_in: "is an address in",
  semver_eq: "is the version",
  semver_lt: "is a version before",
  semver_le: "is at most the version",
  semver_gt: "is a version after",
  semver_ge: "is at least the version",
  semver_in: "is a version in",
  exists: "is given",
  in_segment: "is in the segment",
};

/** Return a difference line by line, in the order of the API. `kind` is that of the subject. */
export function linesOf(changes: readonly Change[], kind: string): Line[] {
  return changes.map((change) => lineOf(change, kind));
}

function lineOf(change: Change, kind: string): Line {
  const name = nameOf(change.path, kind);
  if (Array.isArray(change.removed) || Array.isArray(change.added)) {
    return {
      kind: "list",
      name,
      removed: (change.removed ?? []).map((item) => itemInWords(change.path, item)),
      added: (change.added ?? []).map((item) => itemInWords(change.path, item)),
    };
  }
  // A missing member is not the same as null: the flag had no such field.
  return {
    kind: "value",
    name,
    before: "before" in change ? shownValue(change.path, change.before) : null,
    after: "after" in change ? shownValue(change.path, change.after) : null,
  };
}

/** Return all members of a state as lines, for what was made or deleted; empty ones are left out. */
export function linesOfState(state: Readonly<Record<string, unknown>>, kind: string, made: boolean): Line[] {
  return Object.entries(state)
    .filter(([name, value]) => !BOOKKEEPING.has(name) && !isEmpty(value))
    .map(([name, value]) => {
      const shown = shownValue([name], value);
      return {
        kind: "value",
        name: nameOf([name], kind),
        before: made ? null : shown,
        after: made ? shown : null,
      };
    });
}

const BOOKKEEPING = new Set(["schema", "version", "created_at", "updated_at", "warnings", "salt"]);

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Return what people call a place: `error threshold`, `rollout of rule 2`. */
export function nameOf(path: Path, kind = "flag"): string {
  const place = path.join(".");
  const known = (kind === "circuit" ? CIRCUIT_NAMES[place] : undefined) ?? NAMES[place];
  if (known !== undefined) return known;
  const [first, second, ...rest] = path;
  if (first === "rules" && typeof second === "number") {
    return rest.length === 0 ? `rule ${second + 1}` : `${nameOf(rest, kind)} of rule ${second + 1}`;
  }
  if (first === "when" && typeof second === "number") {
    return rest.length === 0 ? `condition ${second + 1}` : `${nameOf(rest, kind)} of condition ${second + 1}`;
  }
  if (first === "variants" && second !== undefined) return `variant ${second}`;
  if (first === "metadata" && second !== undefined) return ["metadata", second, ...rest].join(" ");
  if (typeof first === "string" && OUTER.has(first) && second !== undefined) return nameOf([second, ...rest], kind);
  return path.map((part) => (typeof part === "number" ? String(part + 1) : words(part))).join(" ");
}

function words(part: string): string {
  return part.replace(/_ms$/, "").replaceAll("_", " ");
}

function shownValue(path: Path, value: unknown): Value {
  const last = path.at(-1);
  if (typeof value === "number" && (last === "since_ms" || last === "next_ms" || last === "at_ms")) {
    return { moment: value };
  }
  if (typeof value === "string" && typeof last === "string" && /_(at|until)$/.test(last)) {
    const at = Date.parse(value);
    if (!Number.isNaN(at)) return { moment: at };
  }
  return { text: valueInWords(path, value) };
}

/** Return a value as people write it, with its unit. */
export function valueInWords(path: Path, value: unknown): string {
  const last = String(path.at(-1) ?? "");
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") {
    if (PERCENTAGES.has(last)) return percent(value);
    if (last.endsWith("_ms")) return exactSpan(value);
    return value.toLocaleString();
  }
  if (typeof value === "string") return value === "" ? "empty" : value;
  if (Array.isArray(value)) {
    if (value.length === 0) return "none";
    const items = value.map((item) => itemInWords(path, item));
    return items.join(path.at(-1) === "rules" ? "\n" : ", ");
  }
  if (isRule(value)) return ruleInWords(value);
  if (isCondition(value)) return conditionInWords(value);
  const members = Object.entries(value);
  if (members.length === 0) return "none";
  const written = members.map(([name, member]) => {
    const here = [...path, name];
    const plain = typeof member !== "object" || member === null || Array.isArray(member);
    return `${nameOf(here)}: ${plain ? valueInWords(here, member) : JSON.stringify(member)}`;
  });
  return written.join("\n");
}

function itemInWords(path: Path, item: unknown): string {
  if (typeof item === "string") return item;
  if (isRule(item)) return ruleInWords(item);
  if (isCondition(item)) return conditionInWords(item);
  if (isObject(item)) {
    if (typeof item.variant === "string" && typeof item.weight === "number") return `${item.variant} ${item.weight}`;
    if (path.at(-1) === "requires" && typeof item.flag === "string") {
      const variants = Array.isArray(item.variants) ? item.variants.join(" or ") : "any but its off variant";
      return `${item.flag} gives ${variants}`;
    }
    return JSON.stringify(item);
  }
  return valueInWords(path, item);
}

interface Rule {
  when: Condition[];
  rollout?: number;
  split?: { variant: string; weight: number }[] | null;
  variant?: string | null;
  name?: string | null;
}

/** Return a rule as a sentence: `beta: country is one of DE, AT → 50%`. */
export function ruleInWords({ when, rollout, split, variant, name }: Rule): string {
  const conditions = when.length === 0 ? "everybody" : when.map(conditionInWords).join(" and ");
  const gets = variant ?? percent(rollout ?? 100);
  const shares = split?.length ? `, split ${split.map((each) => `${each.variant} ${each.weight}`).join(", ")}` : "";
  return `${name ? `${name}: ` : ""}${conditions} → ${gets}${shares}`;
}

/** Return a condition as a part of a sentence: `country is one of DE, AT`. */
export function conditionInWords({ attribute, operator, values, negate }: Condition): string {
  const who = operator === "in_segment" ? "user" : (attribute ?? "targetingKey");
  const compared = (values ?? []).map(String).join(", ");
  const how = OPERATORS[operator] ?? operator;
  return `${who} ${negate ? `not: ${how}` : how}${compared === "" ? "" : ` ${compared}`}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRule(value: unknown): value is Rule {
  return isObject(value) && Array.isArray(value.when) && !("include" in value);
}

function isCondition(value: unknown): value is Condition {
  return isObject(value) && typeof value.operator === "string";
}
