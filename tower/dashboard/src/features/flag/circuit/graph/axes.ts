/** The upper ends of the graphs' axes. They come in few sizes, so that a graph does not jump with each second. */

const PERCENTAGES = [0.5, 1, 2, 5, 10, 25, 50, 100] as const;

type Values = readonly (number | null | undefined)[];

export function largest(...lists: Values[]): number {
  let most = 0;
  for (const list of lists)
    for (const value of list) if (value !== null && value !== undefined && value > most) most = value;
  return most;
}

function least(list: Values): number | null {
  let low: number | null = null;
  for (const value of list) if (value !== null && value !== undefined && (low === null || value < low)) low = value;
  return low;
}

/**
 * Return the end of an axis of percentages: all that was measured fits, the threshold with a fifth above it, and the
 * lowest rate that would open the circuit.
 */
export function percentageTop(threshold: number | null, measured: readonly Values[], opensAt: Values = []): number {
  const wanted = Math.max((threshold ?? 0) * 1.2, largest(...measured), least(opensAt) ?? 0);
  // Nothing failed, and nothing says what would be much.
  if (wanted === 0) return 100;
  return PERCENTAGES.find((each) => each >= wanted) ?? 100;
}

/** Return the end of an axis of counts or milliseconds: few sizes for each power of ten. */
export function roundTop(measured: readonly Values[], atLeast: number): number {
  const wanted = Math.max(largest(...measured), atLeast);
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 3, 4, 6, 8, 10].map((each) => each * power).find((each) => each >= wanted) ?? wanted;
}
