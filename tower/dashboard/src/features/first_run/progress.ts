/** What exists of the way to a first answer. Nothing of it is kept in the browser: it is looked at each time. */
export interface Found {
  app: string | null;
  flag: string | null;
  /** How many SDK keys the app has; null where only admins see that. */
  keys: number | null;
  /** How many sidecars of the app are heard from. */
  sidecars: number;
  /** How many answers were given lately. */
  answers: number;
}

export const STEPS = ["app", "flag", "key", "sidecar", "answer"] as const;
export type Step = (typeof STEPS)[number];

/** Which steps are done. What comes later counts for what comes before: a sidecar that is heard from has a key. */
export function doneSteps({ app, flag, keys, sidecars, answers }: Found): ReadonlySet<Step> {
  const done = new Set<Step>();
  if (app !== null) done.add("app");
  if (flag !== null) done.add("flag");
  if ((keys ?? 0) > 0 || sidecars > 0) done.add("key");
  if (sidecars > 0) done.add("sidecar");
  if (answers > 0) done.add("answer");
  return done;
}

/** The first step that is not done; null once all are. */
export function nextStep(done: ReadonlySet<Step>): Step | null {
  return STEPS.find((step) => !done.has(step)) ?? null;
}

/** Add up what was counted, by variant. Null, which is not known, counts for nothing. */
export function answersBy(variants: Readonly<Record<string, readonly (number | null)[]>>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [variant, counts] of Object.entries(variants)) {
    const sum = counts.reduce<number>((total, each) => total + (each ?? 0), 0);
    if (sum > 0) sums.set(variant, sum);
  }
  return sums;
}
