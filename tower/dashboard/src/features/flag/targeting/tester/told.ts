import type { Schemas } from "@/api/client";
import { count, percent, share } from "@/components/numbers";
import { OPERATORS } from "../rules/operators";
import { conditionInWords } from "../rules/words";
import type { Answer, Evaluation } from "./evaluate";

export type LineName = Schemas["Line"];
type Rollout = Schemas["ToldRolloutOut"];
type Told = Schemas["ToldConditionOut"];

/** Which line of the flag decides; `rule` is the place of the rule where one does. */
export interface Decided {
  line: LineName;
  rule: number | null;
  who: string;
}

export function decidedBy(answer: Answer, who: string): Decided {
  const rule = answer.explanation.rules.findIndex((each) => each.decides);
  return { line: answer.decided_by, rule: answer.decided_by === "rule" && rule !== -1 ? rule : null, who };
}

/** Why somebody gets what they get, in one sentence. */
export function whyInWords(answer: Answer): string {
  const { explanation } = answer;
  switch (answer.decided_by) {
    case "unknown":
      return "Sidecars do not get this flag, so callers get their own default.";
    case "active":
      return "The flag is off.";
    case "circuit":
      return "The circuit is open or held off: everybody gets the off variant.";
    case "requires":
      return `The prerequisite ${answer.prerequisite ?? ""} is not met.`;
    case "deny":
      return "The key is on the deny list.";
    case "allow":
      return "The key is on the allow list.";
    case "rule": {
      const rule = explanation.rules.find((each) => each.decides);
      return rule === undefined
        ? "A rule decides."
        : `Rule ${rule.name} matches. ${rolloutInWords(rule.rollout, answer)}`;
    }
    case "rollout":
      return explanation.rollout === null ? "The rollout decides." : rolloutInWords(explanation.rollout, answer);
  }
}

/** Whether a user is in by a rollout, and how that is known. */
function rolloutInWords(rollout: Rollout, answer: Answer): string {
  const given = answer.active && rollout.split.length > 1 ? ` The split gives ${answer.variant}.` : "";
  const recovering =
    rollout.percentage < 100 ? ` of which the recovering circuit lets in ${percent(rollout.percentage)}` : "";
  if (rollout.is_in === null) return "A rollout would decide, but there is no key to decide by.";
  if (rollout.bucket === null || rollout.limit >= 100_000 || rollout.limit <= 0) {
    return `The rollout is ${percent(rollout.rollout)}${recovering}: ${rollout.is_in ? "everybody is in" : "nobody is in"}.${given}`;
  }
  const place = share(rollout.bucket / 1000);
  return `The rollout is ${percent(rollout.rollout)}${recovering}; this user's place is at ${place}, so ${rollout.is_in ? "in" : "out"}.${given}`;
}

/** `country is one of DE, AT: it is "US"` */
export function toldConditionInWords(told: Told): string {
  const operator = told.operator as keyof typeof OPERATORS;
  const asked = operator in OPERATORS ? conditionInWords({ ...told, operator }) : `${told.attribute} ${told.operator}`;
  if (told.outcome === "missing") return `${asked}: not known, the attribute is missing`;
  const found = told.value === null ? "" : `: it is ${told.value}`;
  return told.operator === "in_segment" ? asked : asked + found;
}

export type Mark = "decides" | "passed" | "holds" | "fails" | "none";

export interface ToldLine {
  text: string;
  mark: Mark;
  /** Behind the line that decided: it would count if that one did not. */
  later: boolean;
  parts: { text: string; mark: Mark }[];
}

const ORDER: readonly LineName[] = ["unknown", "active", "circuit", "requires", "deny", "allow", "rule", "rollout"];

/** Every line of the flag with what it came to, in the order of evaluation. */
export function toldLines(evaluation: Evaluation, answer: Answer): ToldLine[] {
  const { explanation } = answer;
  const decided = ORDER.indexOf(answer.decided_by);
  const lines: ToldLine[] = [];
  const line = (name: LineName, text: string, parts: ToldLine["parts"] = []) => {
    const at = ORDER.indexOf(name);
    lines.push({ text, mark: at === decided ? "decides" : "passed", later: at > decided, parts });
  };
  line("active", explanation.active ? "The flag is on" : "The flag is off");
  if (evaluation.circuit !== null) line("circuit", circuitInWords(evaluation));
  for (const each of explanation.requires) {
    const gives = each.variant === null ? "gives nothing" : `gives ${each.variant}`;
    const met = each.met === null ? "not known without a targeting key" : each.met ? "met" : "not met";
    line("requires", `${each.flag} ${each.is_cycle ? "is in a cycle" : gives}: ${met}`);
    // Only the one that is not met decides.
    const last = lines.at(-1);
    if (last?.mark === "decides" && each.flag !== answer.prerequisite) last.mark = "passed";
  }
  line("deny", explanation.denied ? "On the deny list" : "Not on the deny list");
  line("allow", explanation.allowed ? "On the allow list" : "Not on the allow list");
  explanation.rules.forEach((rule, place) => {
    const decides = answer.decided_by === "rule" && rule.decides;
    const before = explanation.rules.findIndex((each) => each.decides);
    lines.push({
      text: `Rule ${rule.name} ${rule.matched ? "matches" : "does not match"}`,
      mark: decides ? "decides" : rule.matched ? "holds" : "fails",
      later: decided < ORDER.indexOf("rule") || (before !== -1 && place > before),
      parts: rule.conditions.map((each) => ({
        text: toldConditionInWords(each),
        mark: each.outcome === "held" ? "holds" : "fails",
      })),
    });
  });
  if (explanation.rollout !== null) line("rollout", ownRolloutInWords(explanation.rollout));
  return lines;
}

function circuitInWords({ circuit, percentage, circuits_known }: Evaluation): string {
  if (!circuits_known) return "The circuit is not known here; it counts as closed";
  if (circuit === "recovering") return `The circuit is recovering: ${percent(percentage)} of the rollout`;
  return `The circuit is ${circuit}`;
}

function ownRolloutInWords(rollout: Rollout): string {
  const says = `Rollout ${percent(rollout.rollout)}`;
  if (rollout.is_in === null) return `${says}: not known without a key`;
  const place = rollout.bucket === null ? "" : `, place ${count(rollout.bucket)} of 100,000`;
  return `${says}${place}: ${rollout.is_in ? "in" : "out"}`;
}
