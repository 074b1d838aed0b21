/** The times that a graph can show: a range that ends now, or a time of one's own. They are kept in the page's URL. */

export const RANGES = {
  "1m": { label: "1 min", name: "the last minute", lengthMs: 60_000, refreshMs: 2_000 },
  "5m": { label: "5 min", name: "the last 5 minutes", lengthMs: 300_000, refreshMs: 3_000 },
  "1h": { label: "1 h", name: "the last hour", lengthMs: 3_600_000, refreshMs: 10_000 },
  "24h": { label: "24 h", name: "the last 24 hours", lengthMs: 86_400_000, refreshMs: 30_000 },
  "7d": { label: "7 d", name: "the last 7 days", lengthMs: 7 * 86_400_000, refreshMs: 60_000 },
  "30d": { label: "30 d", name: "the last 30 days", lengthMs: 30 * 86_400_000, refreshMs: 300_000 },
} as const;

export type RangeName = keyof typeof RANGES;
export type Span = { range: RangeName } | { fromMs: number; toMs: number };

export const USUAL_RANGE: RangeName = "5m";
/** Buckets are never finer than 250 ms: less than this would be a handful of them. */
export const SHORTEST_MS = 5_000;

export function isRange(value: string | null): value is RangeName {
  return value !== null && Object.hasOwn(RANGES, value);
}

/** Read the time out of the URL; what cannot be read is the usual range. */
export function spanOf(query: URLSearchParams): Span {
  const fromMs = wholeNumber(query.get("from_ms"));
  const toMs = wholeNumber(query.get("to_ms"));
  if (fromMs !== null && toMs !== null && toMs > fromMs) return { fromMs, toMs };
  const range = query.get("range");
  return { range: isRange(range) ? range : USUAL_RANGE };
}

/** Write the time into a query; a zoom keeps the range that it leads back to. */
export function withSpan(query: URLSearchParams, span: Span): URLSearchParams {
  const next = new URLSearchParams(query);
  if ("range" in span) {
    next.delete("from_ms");
    next.delete("to_ms");
    next.set("range", span.range);
  } else {
    next.set("from_ms", String(span.fromMs));
    next.set("to_ms", String(span.toMs));
  }
  return next;
}

/** The range that a zoom leads back to. */
export function rangeBehind(query: URLSearchParams): RangeName {
  const range = query.get("range");
  return isRange(range) ? range : USUAL_RANGE;
}

/** A time that was drawn with the pointer, wide enough for a graph and not ahead of now. */
export function zoomed(oneMs: number, otherMs: number, nowMs: number): { fromMs: number; toMs: number } {
  const middle = (oneMs + otherMs) / 2;
  const half = Math.max(Math.abs(otherMs - oneMs), SHORTEST_MS) / 2;
  const toMs = Math.min(Math.round(middle + half), Math.round(nowMs));
  return { fromMs: Math.min(Math.round(middle - half), toMs - SHORTEST_MS), toMs };
}

/** From when to when a graph of this time reaches at this moment. */
export function limitsOf(span: Span, nowMs: number): { fromMs: number; toMs: number } {
  return "range" in span ? { fromMs: nowMs - RANGES[span.range].lengthMs, toMs: nowMs } : span;
}

/** How many whole seconds have passed since a moment: 1 s at least, `longestMs` at most, and that without a moment. */
export function spanSince(sinceMs: number | null, nowMs: number, longestMs: number): number {
  const passedMs = sinceMs === null ? longestMs : Math.floor((nowMs - sinceMs) / 1000) * 1000;
  return Math.max(Math.min(passedMs, longestMs), 1000);
}

const SECONDS_UP_TO_MS = 1_500_000;
const FINE_UP_TO_MS = 120_000;
/** Samples are kept for an hour; what is asked for has to arrive before it is over. */
const FINE_SINCE_MS = 3_300_000;

/** Whether the buckets of a graph over this time are seconds, or finer. */
export function isInSeconds(span: Span): boolean {
  const lengthMs = "range" in span ? RANGES[span.range].lengthMs : span.toMs - span.fromMs;
  return lengthMs <= SECONDS_UP_TO_MS;
}

/** A time in seconds that ends now, for what is so now; the graph's own where it is one, so that it is read once. */
export function nowSpan(span: Span): Span {
  return "range" in span && isInSeconds(span) ? span : { range: "1m" };
}

/** Buckets as fine as circuits are judged, for a look at a trip; otherwise Tower chooses. */
export function resolutionFor(span: Span, nowMs: number): number | undefined {
  if ("range" in span || span.toMs - span.fromMs > FINE_UP_TO_MS) return undefined;
  return nowMs - span.fromMs < FINE_SINCE_MS ? 250 : undefined;
}

/** The width of buckets that stand for the window over which a circuit is judged: few calls of a second say nothing. */
export function judgedMs(windowMs: number | null): number {
  return windowMs !== null && windowMs % 1000 === 0 && windowMs >= 2_000 && windowMs <= 30_000 ? windowMs : 10_000;
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
