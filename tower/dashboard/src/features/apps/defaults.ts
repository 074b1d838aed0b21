import { counted, exactSpan, percent } from "@/components/numbers";
import type { App } from "./api";

type Defaults = App["defaults"];

/** The part of an app's defaults that its form shows. Null stands for what Tailslide itself takes. */
export interface FormDefaults {
  tags: string[];
  owner: string | null;
  lifetime: "permanent" | "temporary" | null;
  rollout: number | null;
  errorThreshold: number | null;
  /** Whether an open circuit lets users back in by itself. */
  recovery: boolean | null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const numberOf = (value: unknown): number | null => (typeof value === "number" ? value : null);
const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** Read what the form shows out of the defaults as they are kept: only what somebody has set is in them. */
export function formDefaults(defaults: Defaults): FormDefaults {
  const circuit = isObject(defaults.circuit) ? defaults.circuit : {};
  const { lifetime, tags } = defaults;
  return {
    tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [],
    owner: textOf(defaults.owner),
    lifetime: lifetime === "permanent" || lifetime === "temporary" ? lifetime : null,
    rollout: numberOf(defaults.rollout),
    errorThreshold: numberOf(circuit.error_threshold),
    recovery: "recovery" in circuit ? circuit.recovery !== null : null,
  };
}

/** Put what the form says into the defaults, and keep what it does not show. */
export function withForm(defaults: Defaults, form: FormDefaults): Defaults {
  const next: Defaults = { ...defaults };
  const put = (into: Record<string, unknown>, name: string, value: unknown) => {
    if (value === null) delete into[name];
    else into[name] = value;
  };
  put(next, "tags", form.tags.length > 0 ? form.tags : null);
  put(next, "owner", form.owner);
  put(next, "lifetime", form.lifetime);
  put(next, "rollout", form.rollout);
  const circuit: Record<string, unknown> = isObject(defaults.circuit) ? { ...defaults.circuit } : {};
  put(circuit, "error_threshold", form.errorThreshold);
  if (form.recovery === false) circuit.recovery = null;
  else if (form.recovery === null) delete circuit.recovery;
  else if (!isObject(circuit.recovery)) circuit.recovery = {};
  // A default of no circuit at all stays, unless the form asks for one.
  if (Object.keys(circuit).length > 0) next.circuit = circuit;
  else if (isObject(defaults.circuit)) delete next.circuit;
  return next;
}

/** What the form shows of the defaults, in words, a sentence each; and how much more there is. */
export function defaultsInWords(defaults: Defaults): string[] {
  const { tags, owner, lifetime, rollout, errorThreshold, recovery } = formDefaults(defaults);
  const words: string[] = [];
  if (tags.length > 0) words.push(`tagged ${tags.join(", ")}`);
  if (owner !== null) words.push(`owned by ${owner}`);
  if (lifetime !== null) words.push(lifetime);
  if (rollout !== null) words.push(`for ${percent(rollout)} of users`);
  if (defaults.circuit === null) words.push("without a circuit");
  if (errorThreshold !== null) words.push(`its circuit opens when more than ${percent(errorThreshold)} of calls fail`);
  const circuit = isObject(defaults.circuit) ? defaults.circuit : {};
  if (recovery === false) words.push("an open circuit waits for a person");
  else if (isObject(circuit.recovery) && typeof circuit.recovery.delay_ms === "number")
    words.push(`users come back from ${exactSpan(circuit.recovery.delay_ms)} after it opened`);
  else if (recovery === true) words.push("users come back by themselves");
  const shown = ["tags", "owner", "lifetime", "rollout", "circuit"];
  const more = [
    ...Object.keys(defaults).filter((name) => !shown.includes(name)),
    ...Object.keys(circuit).filter((name) => name !== "error_threshold" && name !== "recovery"),
  ].length;
  if (more > 0) words.push(`and ${counted(more, "more setting")} that the API shows`);
  return words;
}
