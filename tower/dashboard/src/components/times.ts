import { useSyncExternalStore } from "react";
import { serverClock } from "@/api/clock";

/** One clock for all that counts seconds on the page, so that everything moves together. */
class Ticker {
  private readonly watchers = new Set<() => void>();
  private timer: ReturnType<typeof setInterval> | undefined;
  private nowMs = serverClock.now();

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    if (this.timer === undefined) {
      this.nowMs = serverClock.now();
      this.timer = setInterval(() => this.tick(), 1000);
    }
    return () => {
      this.watchers.delete(watcher);
      if (this.watchers.size === 0) {
        clearInterval(this.timer);
        this.timer = undefined;
      }
    };
  };

  now = (): number => this.nowMs;

  private tick(): void {
    this.nowMs = serverClock.now();
    for (const watcher of this.watchers) watcher();
  }
}

const ticker = new Ticker();

/** Now by Tower's clock, in Unix milliseconds; renders again each second. */
export function useNow(): number {
  return useSyncExternalStore(ticker.watch, ticker.now);
}

/** What `of` makes of now; renders again only when that changes, so it has to be a text or a number. */
export function useTicked<T extends string | number | boolean>(of: (nowMs: number) => T): T {
  return useSyncExternalStore(ticker.watch, () => of(ticker.now()));
}

/**
 * What `write` makes of now; renders again only when that is another text. For what stands on a page many times: the
 * age of something changes once a minute or less after its first minute.
 */
export function useTimeText(write: (nowMs: number) => string): string {
  return useSyncExternalStore(ticker.watch, () => write(ticker.now()));
}

const timeOfDay = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

/** A moment in the reader's zone: the time of day, with the date where it is not today's. Unix milliseconds. */
export function localMoment(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const sameDay = at.toDateString() === new Date(nowMs).toDateString();
  return (sameDay ? timeOfDay : dateAndTime).format(at);
}

/** The day of a moment in the reader's zone, as a heading. */
export function localDay(atMs: number): string {
  return day.format(new Date(atMs));
}

/** The same moment in UTC, for the tooltip: `2026-11-29 14:03:40 UTC`. */
export function utcMoment(atMs: number): string {
  const iso = new Date(atMs).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}
