import type { Schemas } from "@/api/client";

/**
 * How users come back, as `core/tailslide_core/ramp.py` and `circuit.py` decide it; `tests/conformance/ramp.json` holds
 * both to the same.
 */

export type Recovery = Schemas["RecoveryOut"];

const FULL = 100;
/** Beyond this nobody reads single steps; settings allow a hundred thousand. */
export const MOST_STEPS = 2_000;

/** Return the percentage of the step after one at `percentage`, at most 100. */
export function nextPercentage(percentage: number, increment: number, profile: Recovery["profile"]): number {
  const grown = profile === "linear" ? percentage + increment : percentage * (1 + increment / 100);
  return Math.min(FULL, rounded(grown));
}

/** Rounds to nine decimals, as the core does: a tie, which only odd multiples of 1/1024 are, to the even digit. */
function rounded(value: number): number {
  if (Math.abs((value * 1024) % 2) !== 1) return Number(value.toFixed(9));
  const below = Math.floor(value * 1e9);
  return (below % 2 === 0 ? below : below + 1) / 1e9;
}

export interface Ramp {
  /** Percent of the rollout in each step. A step of 100 is there only where the first one is. */
  steps: number[];
  /** Whether there are more steps than are listed. */
  more: boolean;
}

/** Return the steps of a recovery: where the next would be 100, the circuit closes instead. */
export function rampOf({ initial, increment, profile }: Pick<Recovery, "initial" | "increment" | "profile">): Ramp {
  const steps = [initial];
  for (let next = nextPercentage(initial, increment, profile); next < FULL; ) {
    if (steps.length === MOST_STEPS) return { steps, more: true };
    steps.push(next);
    next = nextPercentage(next, increment, profile);
  }
  return { steps, more: false };
}

/** How long a circuit that tripped `trips` times in a row stays open: doubled at each, up to the maximum. */
export function delayMs(
  { delay_ms, max_delay_ms }: Pick<Recovery, "delay_ms" | "max_delay_ms">,
  trips: number,
): number {
  return Math.min(delay_ms * 2 ** Math.min(Math.max(trips - 1, 0), 40), max_delay_ms);
}

/** The place of the step that a recovering circuit is at, nearest to its percentage; settings may have changed since. */
export function placeOf(steps: readonly number[], percentage: number): number {
  let nearest = 0;
  steps.forEach((step, place) => {
    if (Math.abs(step - percentage) < Math.abs((steps[nearest] ?? 0) - percentage)) nearest = place;
  });
  return nearest;
}
