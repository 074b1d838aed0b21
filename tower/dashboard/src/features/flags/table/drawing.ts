/** A place on the canvas, in CSS pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Runs of known values in a row, as [from, to) of `values`: what is not known is a gap and never a zero. */
export function runsOf(values: readonly (number | null)[]): [number, number][] {
  const runs: [number, number][] = [];
  let from = -1;
  for (let place = 0; place <= values.length; place++) {
    const known = place < values.length && values[place] !== null;
    if (known && from < 0) from = place;
    if (!known && from >= 0) {
      runs.push([from, place]);
      from = -1;
    }
  }
  return runs;
}

/** What the top of a graph of error rates stands for: the threshold is always in the picture. */
export function topOf(values: readonly (number | null)[], threshold: number | null): number {
  const highest = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  return Math.min(100, Math.max(highest, (threshold ?? 0) * 1.2, 2));
}

/** Calls a second as bars, each graph by its own highest: it shows the course, the number beside it the amount. */
export function drawCalls(to: CanvasRenderingContext2D, box: Box, values: readonly (number | null)[], colour: string) {
  const highest = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  if (highest === 0) return;
  const step = box.width / values.length;
  to.fillStyle = colour;
  to.beginPath();
  values.forEach((value, place) => {
    if (value === null) return;
    const height = Math.max((value / highest) * box.height, 1);
    to.rect(box.left + place * step, box.top + box.height - height, Math.max(step - 0.6, 1), height);
  });
  to.fill();
}

/** The error rate as a line, with the threshold as a dashed hairline; a value between two gaps is a dot. */
export function drawErrors(
  to: CanvasRenderingContext2D,
  box: Box,
  values: readonly (number | null)[],
  threshold: number | null,
  colour: string,
  hairline: string,
) {
  if (values.every((value) => value === null)) return;
  const top = topOf(values, threshold);
  const step = box.width / values.length;
  const x = (place: number) => box.left + (place + 0.5) * step;
  const y = (value: number) => box.top + box.height - 1 - (Math.min(value, top) / top) * (box.height - 2);
  if (threshold !== null) {
    const at = Math.round(y(threshold)) + 0.5;
    to.strokeStyle = hairline;
    to.lineWidth = 1;
    to.setLineDash([3, 3]);
    to.beginPath();
    to.moveTo(box.left, at);
    to.lineTo(box.left + box.width, at);
    to.stroke();
    to.setLineDash([]);
  }
  to.strokeStyle = colour;
  to.fillStyle = colour;
  to.lineWidth = 1.5;
  to.lineJoin = "round";
  to.beginPath();
  for (const [from, until] of runsOf(values)) {
    if (until - from === 1) {
      to.rect(x(from) - 1, y(values[from] ?? 0) - 1, 2, 2);
      continue;
    }
    for (let place = from; place < until; place++) {
      const at = y(values[place] ?? 0);
      if (place === from) to.moveTo(x(place), at);
      else to.lineTo(x(place), at);
    }
  }
  to.stroke();
}
