/** Statuses of HTTP that count as failures, as settings write them. */

/** What is wrong with one of them, in a sentence; null where nothing is. */
export function statusProblem(pattern: string): string | null {
  if (/^[1-5]\d\d$/.test(pattern) || /^[1-5]xx$/.test(pattern)) return null;
  const range = /^([1-5]\d\d)-([1-5]\d\d)$/.exec(pattern);
  if (range !== null) {
    return Number(range[1]) <= Number(range[2]) ? null : `${pattern} ends before it begins.`;
  }
  return `${pattern} is no status (429), range (500-504) or class (5xx).`;
}

/** A single status is a number on the wire, the others are texts. */
export function onTheWire(pattern: string): string | number {
  return /^\d+$/.test(pattern) ? Number(pattern) : pattern;
}
