import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useLayoutEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { axisTimes } from "./axisTimes";
import type { Band } from "./bands";
import { drawBands, drawThreshold } from "./drawing";
import styles from "./graph.module.css";
import { type Palette, paletteOf } from "./palette";

/** The width that all graphs leave for the numbers at their left, so that their times lie above each other. The style
 * sheet's `.aside` has the same. */
const AXIS_WIDTH = 52;
const RIGHT_GAP = 10;

export type Colour = keyof Palette;

/** One line or one row of bars. */
export interface Drawn {
  kind: "line" | "step" | "bars";
  colour: Colour;
  /** Fill below the line, or of the bars. */
  fill?: Colour;
  width?: number;
  dash?: number[];
}

export interface ChartProps {
  /** What is drawn; it has to stay the same object between renderings. */
  drawn: readonly Drawn[];
  /** Times in Unix milliseconds, then one list for each of `drawn`. Null is a gap. */
  data: uPlot.AlignedData;
  fromMs: number;
  toMs: number;
  top: number;
  height: number;
  /** Graphs with the same key share their crosshair. */
  sync: string;
  bands?: readonly Band[];
  threshold?: { value: number; words: string } | null;
  /** How the numbers at the left are written. */
  written: (value: number) => string;
  times?: boolean;
  onZoom?: (fromMs: number, toMs: number) => void;
  /** The place in `data` that the crosshair is at; null where there is none. */
  onPlace?: (place: number | null) => void;
}

/** A graph by uPlot: drawn again when its data, its width or the colours change, and gone with the component. */
export function Chart(props: ChartProps) {
  const { drawn, height, sync, times = true } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const palette = useRef<Palette | null>(null);
  const latest = useRef(props);
  const scheme = useComputedColorScheme("light");
  latest.current = props;

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    palette.current = paletteOf(element);
    const made = new uPlot(
      optionsOf({ drawn, height, sync, times, width: element.clientWidth, latest, palette }),
      latest.current.data,
      element,
    );
    plot.current = made;
    const sizes = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== made.width) {
        made.setSize({ width: element.clientWidth, height });
      }
    });
    sizes.observe(element);
    return () => {
      sizes.disconnect();
      plot.current = null;
      made.destroy();
    };
  }, [drawn, height, sync, times]);

  const { data, fromMs, toMs, top, bands, threshold } = props;
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is drawn on the canvas changes with these as well
  useEffect(() => {
    const made = plot.current;
    if (made === null) return;
    made.batch(() => {
      made.setData(data, false);
      made.setScale("x", { min: fromMs, max: toMs });
      made.setScale("y", { min: 0, max: top });
    });
  }, [data, fromMs, toMs, top, bands, threshold?.value, threshold?.words]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are those of the scheme
  useEffect(() => {
    if (box.current === null) return;
    palette.current = paletteOf(box.current);
    plot.current?.redraw(false, true);
  }, [scheme]);

  return <div ref={box} className={styles.chart} style={{ height }} aria-hidden />;
}

interface Parts {
  drawn: readonly Drawn[];
  height: number;
  width: number;
  sync: string;
  times: boolean;
  latest: { current: ChartProps };
  palette: { current: Palette | null };
}

function optionsOf({ drawn, height, width, sync, times, latest, palette }: Parts): uPlot.Options {
  const colour = (name: Colour) => () => palette.current?.[name] ?? "#888";
  return {
    width,
    height,
    ms: 1,
    legend: { show: false },
    padding: [8, RIGHT_GAP, times ? null : 7, 0],
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      sync: { key: sync, setSeries: false, scales: ["x", null] },
      points: { size: 7, width: 2 },
    },
    scales: { x: { time: true, auto: false }, y: { auto: false } },
    axes: [
      {
        size: times ? 26 : 0,
        space: 84,
        stroke: colour("quiet"),
        grid: { stroke: colour("grid"), width: 1 },
        ticks: { show: false },
        font: "11px ui-sans-serif, system-ui, sans-serif",
        values: (_u, splits, _axis, _space, apart) =>
          times ? axisTimes(splits, apart, latest.current.fromMs, latest.current.toMs) : splits.map(() => ""),
      },
      {
        size: AXIS_WIDTH,
        space: 28,
        stroke: colour("quiet"),
        grid: { stroke: colour("grid"), width: 1 },
        ticks: { show: false },
        font: "11px ui-sans-serif, system-ui, sans-serif",
        values: (_u, splits) => splits.map((value) => latest.current.written(value)),
      },
    ],
    series: [{}, ...drawn.map((each) => seriesOf(each, colour))],
    hooks: {
      drawClear: [(u) => palette.current && drawBands(u, latest.current.bands ?? [], palette.current, uPlot.pxRatio)],
      draw: [
        (u) => {
          const { threshold } = latest.current;
          if (threshold && palette.current) {
            drawThreshold(u, threshold.value, threshold.words, palette.current, uPlot.pxRatio);
          }
        },
      ],
      setCursor: [
        (u) =>
          latest.current.onPlace?.(u.cursor.left === undefined || u.cursor.left < 0 ? null : (u.cursor.idx ?? null)),
      ],
      setSelect: [
        (u) => {
          const { left, width: wide } = u.select;
          if (wide < 6) return;
          latest.current.onZoom?.(u.posToVal(left, "x"), u.posToVal(left + wide, "x"));
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

function seriesOf({ kind, colour, fill, width = 1.5, dash }: Drawn, of: (name: Colour) => () => string): uPlot.Series {
  const series: uPlot.Series = { stroke: of(colour), width, spanGaps: false, ...(dash ? { dash } : {}) };
  if (fill !== undefined) series.fill = of(fill);
  if (kind === "bars") {
    const paths = uPlot.paths.bars?.({ size: [0.86, 40], align: 0 });
    return { ...series, width: 0, points: { show: false }, ...(paths ? { paths } : {}) };
  }
  const points = { show: true, size: 4, width: 0, fill: of(colour), filter: alone };
  if (kind === "line") return { ...series, points };
  const paths = uPlot.paths.stepped?.({ align: 1 });
  return { ...series, points: { show: false }, ...(paths ? { paths } : {}) };
}

/** Points without a neighbour, which no line shows. */
const alone: uPlot.Series.Points.Filter = (u, series) => {
  const values = u.data[series] ?? [];
  const found: number[] = [];
  for (let place = 0; place < values.length; place += 1) {
    if (values[place] == null) continue;
    if (values[place - 1] == null && values[place + 1] == null) found.push(place);
  }
  return found;
};
