const withSeconds = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const withMinutes = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const withDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** So near to an end of the axis that half of the words would lie outside, as a part of its length. */
const EDGE = 0.03;

/** The words at a time axis, in the reader's zone: as exact as its ticks lie apart, the day where a day begins. */
export function axisTimes(ticksMs: readonly number[], apartMs: number, fromMs: number, toMs: number): string[] {
  const edge = (toMs - fromMs) * EDGE;
  return ticksMs.map((atMs) => {
    if (atMs < fromMs + edge || atMs > toMs - edge) return "";
    const at = new Date(atMs);
    if (apartMs >= 86_400_000) return withDay.format(at);
    if (at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0) return withDay.format(at);
    return (apartMs < 60_000 ? withSeconds : withMinutes).format(at);
  });
}
