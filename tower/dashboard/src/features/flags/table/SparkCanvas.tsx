import { useMantineColorScheme } from "@mantine/core";
import { memo, type RefObject, useCallback, useEffect, useLayoutEffect, useRef } from "react";
import { drawCalls, drawErrors } from "./drawing";
import type { SparkStore } from "./sparks";
import styles from "./table.module.css";

/** Where the graphs of a flag stand, in CSS pixels from the top of the table's body. */
export interface SparkPlace {
  id: string;
  top: number;
  threshold: number | null;
}

/** The columns of the graphs, in CSS pixels from the left of the table. */
export interface SparkColumns {
  calls: { left: number; width: number };
  errors: { left: number; width: number };
  height: number;
}

interface Props {
  store: SparkStore;
  places: readonly SparkPlace[];
  columns: SparkColumns;
}

/**
 * The canvas of the small graphs of some rows. It lies in the table and scrolls with it, so scrolling alone draws
 * nothing; it is drawn when it comes into the page, and when points have come, at most once a frame.
 */
export const SparkCanvas = memo(function SparkCanvas({ store, places, columns }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { colorScheme } = useMantineColorScheme();
  const first = places[0]?.top ?? 0;
  const last = (places.at(-1)?.top ?? 0) + columns.height;
  const left = columns.calls.left;
  const width = columns.errors.left + columns.errors.width - left;
  const height = last - first;

  const draw = useCallback(() => {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context) return;
    const scale = window.devicePixelRatio;
    resize(canvas.current, width * scale, height * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas.current);
    const colours = { calls: style.color, errors: style.getPropertyValue("--feature"), line: style.outlineColor };
    for (const { id, top, threshold } of places) {
      const spark = store.spark(id);
      if (spark === null) continue;
      const box = { top: top - first, height: columns.height };
      drawCalls(context, { ...box, left: 0, width: columns.calls.width }, spark.callsPerS, colours.calls);
      drawErrors(
        context,
        { ...box, left: columns.errors.left - left, width: columns.errors.width },
        spark.errorRate,
        threshold,
        colours.errors,
        colours.line,
      );
    }
  }, [store, places, columns, first, left, width, height]);

  // Together with the rows, in the same frame.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the scheme decides the colours
  useLayoutEffect(draw, [draw, colorScheme]);
  useFrame(store, draw);

  return (
    <canvas
      ref={canvas}
      className={styles.sparks}
      aria-hidden
      style={{ width, height, transform: `translate(${left}px, ${first}px)` }}
    />
  );
}, isSame);

/** Whether the same graphs stand in the same places: a flag's message makes new objects of all. */
function isSame(before: Props, after: Props): boolean {
  return (
    before.store === after.store &&
    before.columns === after.columns &&
    before.places.length === after.places.length &&
    before.places.every((place, at) => {
      const other = after.places[at];
      return place.id === other?.id && place.top === other.top && place.threshold === other.threshold;
    })
  );
}

/** Call `draw` in the next frame after each change of `store`. */
function useFrame(store: SparkStore, draw: () => void): void {
  const latest: RefObject<() => void> = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    let frame = 0;
    const forget = store.watch(() => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        latest.current();
      });
    });
    return () => {
      forget();
      cancelAnimationFrame(frame);
    };
  }, [store]);
}

function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== Math.round(width)) canvas.width = Math.round(width);
  if (canvas.height !== Math.round(height)) canvas.height = Math.round(height);
}
