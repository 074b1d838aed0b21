import { count, counted } from "@/components/numbers";
import { type Draft, differing, type Field, same } from "./draft";
import { nameOf, valueInWords } from "./settingNames";

const LONGEST = 40;

/** What makes `before` into `after`, a part for each change: `rollout 25% → 50%`, `2 users added to the allow list`. */
export function changesInWords(before: Draft, after: Draft): string[] {
  return differing(before, after).flatMap((field) => inWords(field, before, after));
}

function inWords(field: Field, before: Draft, after: Draft): string[] {
  switch (field) {
    case "active":
      return [after.active ? "turned on" : "turned off"];
    case "name":
      return after.name === ""
        ? ["name taken away: it is called by its key"]
        : [`name ${quoted(before.name)} → ${quoted(after.name)}`];
    case "description":
      return [before.description === "" ? "description added" : "description changed"];
    case "tags":
      return ofTags(before.tags, after.tags);
    case "allow":
    case "deny":
      return ofUsers(before[field], after[field], `the ${nameOf([field])}`);
    case "rules":
      return ofRules(before.rules, after.rules);
    case "requires":
      return ofRequirements(before.requires, after.requires);
    case "variants":
      return ofMembers(before.variants, after.variants, "variant");
    case "metadata":
      return ofMembers(before.metadata, after.metadata, "metadata");
    case "split":
      return [`split ${shares(before.split)} → ${shares(after.split)}`];
    case "circuit":
      return ofCircuit(before.circuit, after.circuit);
    default:
      return [moved([field], before[field], after[field])];
  }
}

/** `rollout 25% → 50%`; only that it changed where a value is too long to be read in a line. */
function moved(path: readonly string[], before: unknown, after: unknown): string {
  const [was, is] = [valueInWords(path, before), valueInWords(path, after)];
  return was.length > LONGEST || is.length > LONGEST ? `${nameOf(path)} changed` : `${nameOf(path)} ${was} → ${is}`;
}

function quoted(text: string): string {
  return `“${text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text}”`;
}

function without<T>(items: readonly T[], others: readonly T[]): T[] {
  const gone = new Set(others);
  return items.filter((item) => !gone.has(item));
}

function ofTags(before: readonly string[], after: readonly string[]): string[] {
  const parts = [];
  for (const [tags, verb] of [
    [without(after, before), "added"],
    [without(before, after), "removed"],
  ] as const) {
    if (tags.length > 0) parts.push(`${tags.length === 1 ? "tag" : "tags"} ${tags.map(quoted).join(", ")} ${verb}`);
  }
  return parts;
}

function ofUsers(before: readonly string[], after: readonly string[], list: string): string[] {
  const [added, removed] = [without(after, before).length, without(before, after).length];
  if (added === 0 && removed === 0) return [`order of ${list} changed`];
  return [
    ...(added > 0 ? [`${counted(added, "user")} added to ${list}`] : []),
    ...(removed > 0 ? [`${counted(removed, "user")} removed from ${list}`] : []),
  ];
}

type Rules = Draft["rules"];

/** How a rule is called: by its name, or by its place, counted from 1. */
function ruleName(rule: Rules[number], place: number): string {
  return rule.name ? quoted(rule.name) : String(place + 1);
}

/**
 * Rules have no identity: one that is the same as before is that one, wherever it stands; of the rest, rules with the
 * same name belong together, then rules at the same place. A rule has moved where it changed places with others that are
 * still there: those that keep their order to each other have not.
 */
function ofRules(before: Rules, after: Rules): string[] {
  const pairs = paired(before, after);
  const parts: string[] = [];
  const stays = longestRising(pairs.filter((from) => from !== null));
  for (const [to, from] of pairs.entries()) {
    const rule = after[to];
    if (rule === undefined) continue;
    if (from === null) parts.push(`rule ${ruleName(rule, to)} added`);
    else {
      if (!stays.has(from)) parts.push(`rule ${ruleName(rule, from)} moved to place ${count(to + 1)}`);
      if (!same(before[from], rule)) parts.push(`rule ${ruleName(rule, to)} changed`);
    }
  }
  for (const [from, rule] of before.entries()) {
    if (!pairs.includes(from)) parts.push(`rule ${ruleName(rule, from)} removed`);
  }
  return parts;
}

/** For each rule afterwards, where it was before. */
function paired(before: Rules, after: Rules): (number | null)[] {
  const free = new Set(before.keys());
  const pairs = new Array<number | null>(after.length).fill(null);
  const pair = (suits: (to: number, from: number) => boolean) => {
    for (const [to, known] of pairs.entries()) {
      if (known !== null) continue;
      const from = [...free].find((place) => suits(to, place));
      if (from === undefined) continue;
      pairs[to] = from;
      free.delete(from);
    }
  };
  const alike = (to: number, from: number) => same(before[from], after[to]);
  pair((to, from) => to === from && alike(to, from));
  pair(alike);
  pair((to, from) => (after[to]?.name ?? "") !== "" && after[to]?.name === before[from]?.name);
  pair((to, from) => to === from && !bothNamed(before[from], after[to]));
  // One rule with another condition, after others were taken away or added, is still that rule.
  if (before.length === after.length) pair((to, from) => !bothNamed(before[from], after[to]));
  return pairs;
}

function bothNamed(one: Rules[number] | undefined, other: Rules[number] | undefined): boolean {
  return (one?.name ?? "") !== "" && (other?.name ?? "") !== "";
}

/** The values of a longest rising subsequence: what need not move to bring the rest in order. */
function longestRising(values: readonly number[]): Set<number> {
  const best: number[][] = [];
  for (const value of values) {
    let longest: number[] = [];
    for (const [index, earlier] of best.entries()) {
      if ((values[index] ?? Number.POSITIVE_INFINITY) < value && earlier.length > longest.length) longest = earlier;
    }
    best.push([...longest, value]);
  }
  return new Set(best.reduce<number[]>((most, each) => (each.length > most.length ? each : most), []));
}

function ofRequirements(before: Draft["requires"], after: Draft["requires"]): string[] {
  const parts: string[] = [];
  for (const { flag, variants } of after) {
    const was = before.find((each) => each.flag === flag);
    if (was === undefined) parts.push(`prerequisite ${flag} added`);
    else if (!same(was.variants ?? null, variants ?? null)) parts.push(`variants of the prerequisite ${flag} changed`);
  }
  for (const { flag } of before) {
    if (!after.some((each) => each.flag === flag)) parts.push(`prerequisite ${flag} removed`);
  }
  return parts.length === 0 ? ["order of the prerequisites changed"] : parts;
}

function ofMembers(before: Draft["variants"], after: Draft["variants"], noun: string): string[] {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(after)) {
    if (!(name in before)) parts.push(`${noun} ${quoted(name)} added`);
    else if (!same(before[name], value)) {
      const [was, is] = [valueInWords([name], before[name]), valueInWords([name], value)];
      const short = was.length <= LONGEST && is.length <= LONGEST;
      parts.push(short ? `${noun} ${quoted(name)} ${was} → ${is}` : `${noun} ${quoted(name)} changed`);
    }
  }
  for (const name of Object.keys(before)) if (!(name in after)) parts.push(`${noun} ${quoted(name)} removed`);
  return parts;
}

function shares(split: Draft["split"]): string {
  return split.length === 0 ? "none" : split.map(({ variant, weight }) => `${variant} ${count(weight)}`).join(" : ");
}

function ofCircuit(before: Draft["circuit"], after: Draft["circuit"]): string[] {
  if (after === null) return ["circuit removed: it is not judged any more"];
  if (before === null) return ["circuit added", ...(after.forced_open ? ["held off (forced open)"] : [])];
  const parts: string[] = [];
  if (before.forced_open !== after.forced_open) {
    parts.push(after.forced_open ? "held off (forced open)" : "no longer held off");
  }
  const { recovery: wasRecovery, local_guard: wasGuard, ...was } = before;
  const { recovery, local_guard, ...is } = after;
  parts.push(...ofSettings(["circuit"], was, is));
  if (recovery === null) {
    if (wasRecovery !== null) parts.push("recovery taken away: an open circuit waits for a person");
  } else if (wasRecovery === null) parts.push("recovery added: users come back by themselves");
  else parts.push(...ofSettings(["circuit", "recovery"], wasRecovery, recovery));
  const [guardBefore, guard] = [wasGuard ?? null, local_guard ?? null];
  if (guard === null) {
    if (guardBefore !== null) parts.push("local guard turned off");
  } else if (guardBefore === null) parts.push("local guard turned on");
  else parts.push(...ofSettings(["circuit", "local_guard"], guardBefore, guard));
  return parts;
}

function ofSettings(path: readonly string[], before: object, after: object): string[] {
  const [was, is] = [before as Record<string, unknown>, after as Record<string, unknown>];
  return Object.keys(is)
    .filter((name) => name !== "reset_generation" && name !== "forced_open" && !same(was[name], is[name]))
    .map((name) => moved([...path, name], was[name], is[name]));
}
