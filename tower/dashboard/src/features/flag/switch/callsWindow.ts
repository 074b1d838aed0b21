/** What the live connection sends of one flag: buckets of `resolutionMs`, the last of them not complete. */
export interface Points {
  resolutionMs: number;
  atMs: readonly number[];
  /** Null: nothing was counted in that bucket. */
  calls: readonly (number | null)[];
}

const WINDOW_MS = 60_000;
/** Over less than this nothing is said. */
const SHORTEST_MS = 10_000;

/**
 * The calls to a flag's feature in the last minute, gathered from live points. Sidecars write within a second, so the
 * bucket before the last may still grow; what was sent last for a bucket counts.
 */
export class CallsWindow {
  private buckets = new Map<number, number>();
  private resolutionMs = 0;

  take({ resolutionMs, atMs, calls }: Points): void {
    if (resolutionMs !== this.resolutionMs) {
      this.buckets = new Map();
      this.resolutionMs = resolutionMs;
    }
    for (const [index, at] of atMs.entries()) this.buckets.set(at, calls[index] ?? 0);
    const newest = Math.max(...this.buckets.keys());
    for (const at of this.buckets.keys()) if (at <= newest - WINDOW_MS - resolutionMs) this.buckets.delete(at);
  }

  /** Calls a minute, out of the complete buckets; null while too few are there. */
  perMinute(): number | null {
    const newest = Math.max(...this.buckets.keys());
    const complete = [...this.buckets].filter(([at]) => at < newest);
    const spanMs = complete.length * this.resolutionMs;
    if (spanMs < SHORTEST_MS) return null;
    return (complete.reduce((sum, [, calls]) => sum + calls, 0) * WINDOW_MS) / spanMs;
  }
}
