/** Durations as people write them: a number and a unit. */

export const UNITS = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 } as const;

export type Unit = keyof typeof UNITS;

export interface Written {
  value: number;
  unit: Unit;
}

/** Write a duration in the largest unit that leaves no fraction: 30 s, 10 min, 1500 ms. */
export function writtenIn(ms: number): Written {
  const unit: Unit =
    ms === 0 ? "s" : ((["h", "min", "s"] as const).find((each) => ms >= UNITS[each] && ms % UNITS[each] === 0) ?? "ms");
  return { value: ms / UNITS[unit], unit };
}

/** Milliseconds of what somebody wrote; never a fraction of one. */
export function inMs({ value, unit }: Written): number {
  return Math.round(value * UNITS[unit]);
}
