import { count, percent, share } from "@/components/numbers";
import type { Draft } from "@/features/flag/editing/draft";
import { percentages, type Split } from "../variants/split";
import { type Condition, OPERATORS, TARGETING_KEY } from "./operators";

export type Rule = Draft["rules"][number];

/** What a rule's words need to know of its flag. */
export type Around = Pick<Draft, "split" | "off_variant">;

const SHOWN = 6;

/** `DE, AT and 4 more` */
export function valuesInWords(values: readonly unknown[], shown = SHOWN): string {
  const written = values.map(valueInWords);
  if (written.length <= shown) return written.join(", ");
  return `${written.slice(0, shown - 1).join(", ")} and ${count(written.length - shown + 1)} more`;
}

function valueInWords(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  // Quotes only where the text would not stand for itself.
  return value === "" || value !== value.trim() || value.includes(",") ? JSON.stringify(value) : value;
}

/** `country is one of DE, AT` */
export function conditionInWords(condition: Condition): string {
  const { operator, negate = false, ignore_case = false } = condition;
  const values = condition.values ?? [];
  const attribute = condition.attribute ?? TARGETING_KEY;
  const words = OPERATORS[operator];
  if (operator === "exists") {
    const known = (values[0] !== false) !== negate;
    return `${subject(attribute)} ${known ? words.says : words.not}`;
  }
  const verb = verbOf(condition);
  const of = operator === "in_segment" && attribute === TARGETING_KEY ? "the user" : subject(attribute);
  const written = values.length === 0 ? "…" : valuesInWords(values);
  return `${of} ${verb} ${written}${ignore_case ? " (in any case)" : ""}`;
}

/** The verb of a condition, as its number of values and its negation want it. */
export function verbOf({ operator, negate = false, values = [] }: Condition): string {
  const { says, many = says, not, notMany = not } = OPERATORS[operator];
  const several = values.length > 1;
  if (negate) return several ? notMany : not;
  return several ? many : says;
}

function subject(attribute: string): string {
  if (attribute === TARGETING_KEY) return "the targeting key";
  return attribute === "" ? "…" : attribute;
}

/** `country is one of DE, AT and plan is pro`; without conditions, everybody. */
export function conditionsInWords(when: readonly Condition[]): string {
  return when.map(conditionInWords).join(" and ");
}

/** `green`, `green (90%) or blue (10%)` */
export function splitInWords(split: Split): string {
  const given = percentages(split).filter(({ weight }) => weight > 0);
  if (given.length === 1) return given[0]?.variant ?? "";
  const shares = given.map(({ variant, percent: part }) => `${variant} (${share(part)})`);
  return shares.length > 2 ? `${shares.slice(0, -1).join(", ")} or ${shares.at(-1)}` : shares.join(" or ");
}

/** What those get for whom a rule's conditions hold: `50% of them get green`. */
export function outcomeInWords(rule: Omit<Rule, "when">, { split, off_variant }: Around): string {
  if (rule.variant != null) {
    return `all of them get ${rule.variant}${rule.variant === off_variant ? ", the off variant" : ""}`;
  }
  const rollout = rule.rollout ?? 100;
  if (rollout === 0) return `none of them is in: all get ${off_variant}`;
  const given = splitInWords(rule.split ?? split);
  if (rollout === 100) return `all of them get ${given}`;
  return `${percent(rollout)} of them get ${given}, the others ${off_variant}`;
}

/** A whole rule: `If country is one of DE, AT and plan is pro: 50% of them get green, the others blue.` */
export function ruleInWords(rule: Rule, around: Around): string {
  const when = conditionsInWords(rule.when);
  return `${when === "" ? "Everybody" : `If ${when}`}: ${outcomeInWords(rule, around)}.`;
}
