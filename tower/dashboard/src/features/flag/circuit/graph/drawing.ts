import type uPlot from "uplot";
import type { Band } from "./bands";
import type { Palette } from "./palette";

/** What is drawn on a graph's canvas besides its series. Positions are pixels of the canvas. */

const HATCH_GAP = 9;
const LEAST_STEP = 5;

/** Draw the stretches in which the circuit was open (hatched, so that a grey print tells them) or recovering. */
export function drawBands(u: uPlot, bands: readonly Band[], palette: Palette, ratio: number): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  bands.forEach((band, place) => {
    const before = bands[place - 1];
    const step = before !== undefined && before.state === band.state && before.toMs === band.fromMs;
    const left = u.valToPos(band.fromMs, "x", true);
    const width = Math.max(u.valToPos(band.toMs, "x", true) - left, ratio);
    ctx.fillStyle = band.state === "open" ? palette.openBand : palette.recoveringBand;
    ctx.fillRect(left, bbox.top, width, bbox.height);
    if (band.state === "open") hatch(ctx, left, bbox.top, width, bbox.height, palette.open, ratio);
    ctx.strokeStyle = band.state === "open" ? palette.open : palette.recovering;
    ctx.globalAlpha = step ? 0.18 : 0.6;
    ctx.lineWidth = ratio;
    // Steps that lie side by side would be a block.
    if (!step || width >= LEAST_STEP * ratio) line(ctx, left, bbox.top, left, bbox.top + bbox.height);
    ctx.globalAlpha = 1;
  });
  ctx.restore();
}

function hatch(
  ctx: CanvasRenderingContext2D,
  left: number,
  top: number,
  width: number,
  height: number,
  colour: string,
  ratio: number,
): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.globalAlpha = 0.16;
  ctx.lineWidth = ratio;
  const gap = HATCH_GAP * ratio;
  ctx.beginPath();
  // The lines lie on the canvas and not on the band, so that they stand still while it slides.
  for (let x = Math.floor((left - height) / gap) * gap; x < left + width; x += gap) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.restore();
}

/** Draw a threshold: a dashed line over the whole width, with its words at the left end. */
export function drawThreshold(u: uPlot, value: number, words: string, palette: Palette, ratio: number): void {
  const { ctx, bbox } = u;
  const y = Math.round(u.valToPos(value, "y", true)) + 0.5;
  if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) return;
  ctx.save();
  ctx.strokeStyle = palette.text;
  ctx.lineWidth = 1.25 * ratio;
  ctx.setLineDash([6 * ratio, 4 * ratio]);
  line(ctx, bbox.left, y, bbox.left + bbox.width, y);
  label(ctx, words, bbox.left + 6 * ratio, y, palette.text, palette, ratio);
  ctx.restore();
}

function label(
  ctx: CanvasRenderingContext2D,
  words: string,
  left: number,
  middle: number,
  colour: string,
  palette: Palette,
  ratio: number,
): void {
  ctx.setLineDash([]);
  ctx.font = `600 ${11 * ratio}px ui-sans-serif, system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  const { width } = ctx.measureText(words);
  const [pad, height] = [4 * ratio, 16 * ratio];
  ctx.fillStyle = palette.surface;
  ctx.globalAlpha = 0.9;
  ctx.fillRect(left - pad, middle - height / 2, width + 2 * pad, height);
  ctx.globalAlpha = 1;
  ctx.fillStyle = colour;
  ctx.fillText(words, left, middle + ratio / 2);
}

function line(ctx: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}
