/** Tower's clock, as far as its responses tell it. Browsers' clocks may be minutes off, and ages are shown to a second. */
export class ServerClock {
  private offsetMs = 0;

  constructor(private readonly localNow: () => number = Date.now) {}

  /** Take in the `Date` of a response, which is exact to a second: smaller differences are left alone. */
  heard(date: string | null): void {
    const at = date === null ? Number.NaN : Date.parse(date);
    if (Number.isNaN(at)) return;
    const offset = at + 500 - this.localNow();
    this.offsetMs = Math.abs(offset) > 2_000 ? offset : 0;
  }

  /** Now, in Unix milliseconds, by Tower's clock. */
  now(): number {
    return this.localNow() + this.offsetMs;
  }
}

export const serverClock = new ServerClock();
