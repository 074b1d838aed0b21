/** Periods until now, by how long ago they begin. */
export const PERIODS = [
  { name: "Last hour", ms: 3_600_000 },
  { name: "Last 24 hours", ms: 86_400_000 },
  { name: "Last 7 days", ms: 7 * 86_400_000 },
  { name: "Last 30 days", ms: 30 * 86_400_000 },
] as const;

/** When a period that ends now has begun, to the minute: so a link that is sent shows the same entries later. */
export function beginOf(ms: number, nowMs: number): string {
  return new Date(Math.floor((nowMs - ms) / 60_000) * 60_000).toISOString();
}

/** Write a moment as `<input type="datetime-local">` has it, in the reader's zone; "" stays "". */
export function toLocalInput(iso: string): string {
  if (iso === "") return "";
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Read what such an input has; "" where it has no whole moment. */
export function fromLocalInput(text: string): string {
  const at = new Date(text);
  return text === "" || Number.isNaN(at.getTime()) ? "" : at.toISOString();
}
