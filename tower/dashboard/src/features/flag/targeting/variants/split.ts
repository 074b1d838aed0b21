import type { Schemas } from "@/api/client";

export type Share = Schemas["ShareFields"];
export type Split = readonly Share[];

/** Each share with its part of all weights, in percent. */
export function percentages(split: Split): { variant: string; weight: number; percent: number }[] {
  const sum = split.reduce((all, { weight }) => all + weight, 0);
  return split.map(({ variant, weight }) => ({ variant, weight, percent: sum === 0 ? 0 : (weight / sum) * 100 }));
}

/**
 * How many of those who are in get another variant after a change of weights, in percent. A split lays its shares one
 * behind another, each user has a fixed place along them, so it is what does not overlap.
 */
export function moved(before: Split, after: Split): number {
  const [old, now] = [spans(before), spans(after)];
  if (old.length === 0 || now.length === 0) return 0;
  let same = 0;
  for (const one of old) {
    for (const other of now) {
      if (one.variant !== other.variant) continue;
      same += Math.max(0, Math.min(one.to, other.to) - Math.max(one.from, other.from));
    }
  }
  return Math.max(0, 100 - same);
}

function spans(split: Split): { variant: string; from: number; to: number }[] {
  let at = 0;
  return percentages(split).map(({ variant, percent }) => {
    const from = at;
    at += percent;
    return { variant, from, to: at };
  });
}

/** The split with another weight for a variant: 0 takes it out, a new one comes last, the others keep their places. */
export function withWeight(split: Split, variant: string, weight: number): Share[] {
  if (weight <= 0) return split.filter((each) => each.variant !== variant);
  if (!split.some((each) => each.variant === variant)) return [...split, { variant, weight }];
  return split.map((each) => (each.variant === variant ? { variant, weight } : each));
}
