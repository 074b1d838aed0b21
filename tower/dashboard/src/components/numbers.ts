// How numbers are written: with the reader's separators, and as `core/tailslide_core/sentences/numbers.py` does it.

const decimals = (most: number) => {
  const written = new Intl.NumberFormat(undefined, { maximumFractionDigits: most });
  return { format: (value: number) => written.format(rounded(value, most)) };
};

/** Round as Python does: by the exact value of the double, and what is exactly between two to the even one. */
function rounded(value: number, digits: number): number {
  const scaled = value * 2 ** (digits + 1);
  const isBetween = Number.isInteger(scaled) && scaled % 2 !== 0;
  if (!isBetween) return Number(value.toFixed(digits));
  const below = Math.floor(value * 10 ** digits);
  return (below % 2 === 0 ? below : below + 1) / 10 ** digits;
}

const whole = decimals(0);
const oneDecimal = decimals(1);
const exact = decimals(3);

export const NOT_KNOWN = "–";

/** `4,210` */
export function count(value: number): string {
  return whole.format(value);
}

/** `1 call`, `4,210 calls` */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${whole.format(value)} ${value === 1 ? noun : plural}`;
}

/** A percentage that a person has set: `25%`, `0.5%`. */
export function percent(value: number): string {
  if (value > 0 && value < 0.001) return "less than 0.001%";
  if (value > 99.999 && value < 100) return "more than 99.999%";
  return `${exact.format(value)}%`;
}

/** A percentage that was measured: `62%`, `1.2%`. Null, which is not known, is never drawn as zero. */
export function share(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOT_KNOWN;
  if (value > 0 && value < 0.05) return "<0.1%";
  if (value >= 99.95 && value < 100) return ">99.9%";
  return `${oneDecimal.format(value)}%`;
}

/** Calls a second: `0.4/s`, `12/s`, `1.2k/s`. */
export function rate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined) return NOT_KNOWN;
  if (perSecond >= 1000) return `${oneDecimal.format(perSecond / 1000)}k/s`;
  if (perSecond >= 10) return `${whole.format(perSecond)}/s`;
  if (perSecond > 0 && perSecond < 0.05) return "<0.1/s";
  return `${oneDecimal.format(perSecond)}/s`;
}

const UNITS = [
  [86_400_000, "days"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
] as const;

/** An age in its largest unit: `12 s`, `3 min`, `2 h`, `5 days`; rounded down, or `up`. */
export function roughSpan(ms: number, up = false): string {
  if (ms < 1000 && !(up && ms > 0)) return "less than 1 s";
  for (const [unit, name] of UNITS) {
    // Hours are counted until there are two days: nobody says "1 day" of 47 hours.
    if (ms >= (name === "days" ? 2 * unit : unit)) {
      return `${whole.format(up ? Math.ceil(ms / unit) : Math.floor(ms / unit))} ${name}`;
    }
  }
  return "1 s";
}

/** The length of a window or a delay as it was set: `250 ms`, `10 s`, `7.5 min`, `2 h`. */
export function exactSpan(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  for (const [unit, name] of [
    [3_600_000, "h"],
    [60_000, "min"],
  ] as const) {
    if (ms >= 2 * unit || ms === unit) {
      const inHundredths = (ms * 100) / unit;
      if (Number.isInteger(inHundredths)) return `${exact.format(inHundredths / 100)} ${name}`;
    }
  }
  return `${exact.format(ms / 1000)} s`;
}
