import type { Draft } from "@/features/flag/editing/draft";
import { withWeight } from "./split";

/** What the editor of variants changes; a variant's name stands in rules, too. */
export type VariantFields = Pick<Draft, "type" | "variants" | "off_variant" | "split" | "rules">;
export type ValueType = Draft["type"];

const NAME = /^[A-Za-z0-9-](?:[A-Za-z0-9_-]|\.(?!\.|$)){0,99}$/;

/** Why a name cannot be that of a variant beside `others`; null if it can. */
export function nameProblem(name: string, others: readonly string[]): string | null {
  if (name === "") return "A variant has a name.";
  if (!NAME.test(name)) {
    return "A name has up to 100 letters, digits, “.”, “_” and “-”. It does not begin with “_” or “.”, and has no two dots in a row.";
  }
  return others.includes(name) ? `There is a variant ${name} already.` : null;
}

/** What a flag of each type begins with. */
export function variantsOf(type: ValueType): Pick<Draft, "type" | "variants" | "off_variant" | "split"> {
  const values = { boolean: [true, false], string: ["on", "off"], number: [1, 0], object: [{}, {}] }[type];
  return {
    type,
    variants: { on: values[0], off: values[1] },
    off_variant: "off",
    split: [{ variant: "on", weight: 1 }],
  };
}

/** Add a variant of the flag's type that nobody gets yet. */
export function withVariant(fields: VariantFields): Partial<VariantFields> {
  const { type, variants } = fields;
  let number = Object.keys(variants).length + 1;
  while (`variant-${number}` in variants) number += 1;
  const value = { boolean: true, string: "", number: 0, object: {} }[type];
  return { variants: { ...variants, [`variant-${number}`]: value } };
}

/** Rename a variant wherever the flag names it. */
export function renamed(fields: VariantFields, from: string, to: string): Partial<VariantFields> {
  const name = (variant: string) => (variant === from ? to : variant);
  const split = (shares: VariantFields["split"]) => shares.map((each) => ({ ...each, variant: name(each.variant) }));
  const named = Object.entries(fields.variants).map(([variant, value]) => [name(variant), value] as const);
  return {
    variants: Object.fromEntries(named),
    off_variant: name(fields.off_variant),
    split: split(fields.split),
    rules: fields.rules.map((rule) => ({
      ...rule,
      ...(rule.variant == null ? {} : { variant: name(rule.variant) }),
      ...(rule.split == null ? {} : { split: split(rule.split) }),
    })),
  };
}

/** Take a variant out. Rules that name it keep doing so: what they give instead is not to be guessed. */
export function withoutVariant(fields: VariantFields, variant: string): Partial<VariantFields> {
  const { [variant]: _, ...variants } = fields.variants;
  return { variants, split: withWeight(fields.split, variant, 0) };
}

/** Why a variant cannot be taken out; null if it can. */
export function keptBecause({ variants, off_variant, split, rules }: VariantFields, variant: string): string | null {
  if (variant === off_variant) return "It is the off variant. Choose another one first.";
  if (Object.keys(variants).length <= 1) return "A flag has at least one variant.";
  const rest = withWeight(split, variant, 0);
  if (rest.every(({ weight }) => weight === 0))
    return "All users who are in get it. Give another variant a weight first.";
  const place = rules.findIndex(
    (rule) => rule.variant === variant || rule.split?.some((each) => each.variant === variant),
  );
  return place === -1 ? null : `Rule ${rules[place]?.name ?? place + 1} gives it. Change the rule first.`;
}

/** A value as it is written in the form. */
export function written(value: unknown, type: ValueType): string {
  return typeof value === "string" && type !== "boolean" ? value : JSON.stringify(value, null, 2);
}

export interface ReadValue {
  /** What goes into the draft; a text where a number or an object was expected, which Tower refuses by its field. */
  value: unknown;
  problem: string | null;
}

/** Read what was written as the value of a variant. */
export function readValue(text: string, type: ValueType): ReadValue {
  if (type === "string") return { value: text, problem: null };
  if (type === "number") {
    const number = Number(text);
    const fine = text.trim() !== "" && Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER + 1;
    return fine ? { value: number, problem: null } : { value: text, problem: "Expected a number, such as 5 or 0.25." };
  }
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? { value, problem: null } : { value: text, problem: 'Expected an object: {"name": value}.' };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { value: text, problem: jsonProblem(text, error.message) };
  }
}

/** Say where JSON goes wrong, out of the browser's message, which names a line or a position or neither. */
export function jsonProblem(text: string, message: string): string {
  const line = /line (\d+)/.exec(message)?.[1];
  const position = /position (\d+)/.exec(message)?.[1];
  const at = line ?? (position === undefined ? null : text.slice(0, Number(position)).split("\n").length);
  const why = message
    .replace(/^JSON\.parse: /, "")
    .replace(/ (?:in JSON )?at (?:position|line) .*$/, "")
    .replace(/, (?:\.\.\.)?".*" is not valid JSON$/s, "");
  return at === null ? `Not JSON: ${why}.` : `Not JSON, line ${at}: ${why}.`;
}
