import { useMediaQuery } from "@mantine/hooks";
import { type Range, useWindowVirtualizer, type VirtualItem } from "@tanstack/react-virtual";
import { type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useRights } from "@/api/session";
import { counted } from "@/components/numbers";
import { idOf } from "../api";
import { FlagCard, FlagRow } from "./FlagRow";
import type { Column, Line } from "./filter";
import { Hints } from "./Hints";
import { SparkCanvas, type SparkColumns } from "./SparkCanvas";
import type { SparkStore } from "./sparks";
import { TableHead } from "./TableHead";
import styles from "./table.module.css";
import { useRowKeys } from "./useRowKeys";

const HEAD = 36;
const ROW = 52;
const CARD = 140;
const HEADING = 40;
const SPARK_HEIGHT = 26;
/** Graphs are asked for by so many lines at once, so that a little scrolling asks for nothing. */
const CHUNK = 24;

/** Lines come into the page by so many at once, and their graphs on one canvas: most steps of scrolling change nothing. */
const BLOCK = 4;

interface TableProps {
  lines: readonly Line[];
  store: SparkStore;
  withApp: boolean;
  sort: Column;
  descending: boolean;
  onSort: (column: Column) => void;
  /** Told which flags are on the screen or close to it, as ids joined by a space. */
  onVisible: (ids: string) => void;
  environments: ReadonlyMap<string, string | null>;
}

/** Rows of flags; only those on the screen are in the page. On a narrow screen each is a card. */
export function FlagsTable({ lines, store, withApp, sort, descending, onSort, onVisible, environments }: TableProps) {
  const { mayEdit, principal } = useRights();
  const cards = useMediaQuery("(max-width: 40em)", window.innerWidth <= 640) === true;
  const frame = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const scrollMargin = useTopOf(body);
  const virtual = useWindowVirtualizer({
    count: lines.length,
    estimateSize: (place) => (lines[place]?.kind === "app" ? HEADING : cards ? CARD : ROW),
    getItemKey: (place) => keyOf(lines[place]),
    overscan: 6,
    rangeExtractor: inBlocks,
    scrollMargin,
    scrollPaddingStart: 104,
    scrollPaddingEnd: 72,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows and cards differ in height
  useLayoutEffect(() => virtual.measure(), [cards, virtual]);
  const items = virtual.getVirtualItems();
  const total = virtual.getTotalSize();

  const from = Math.floor((items[0]?.index ?? 0) / CHUNK) * CHUNK;
  const until = Math.ceil(((items.at(-1)?.index ?? 0) + 1) / CHUNK) * CHUNK;
  const visible = useMemo(
    () =>
      lines
        .slice(from, until)
        .flatMap((line) => (line.kind === "flag" ? [idOf(line.flag)] : []))
        .join(" "),
    [lines, from, until],
  );
  useEffect(() => onVisible(visible), [onVisible, visible]);

  const columns = useSparkColumns(frame, cards);
  // What stands in the page is another thing only where a block comes or goes.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `items` and `mayEdit` are new at each step, and mostly say the same
  const rows = useMemo(
    () =>
      items.map(({ key, index, start }) => {
        const line = lines[index];
        if (line === undefined) return null;
        return (
          <tr
            key={key}
            ref={cards ? virtual.measureElement : undefined}
            data-index={index}
            aria-rowindex={index + 2}
            className={line.kind === "app" ? styles.heading : styles.row}
            style={{ top: start - scrollMargin }}
          >
            {line.kind === "app" ? (
              <Heading line={line} environment={environments.get(line.app) ?? null} />
            ) : cards ? (
              <FlagCard flag={line.flag} store={store} withApp={withApp} mayEdit={mayEdit(line.flag.app)} />
            ) : (
              <FlagRow flag={line.flag} store={store} withApp={withApp} mayEdit={mayEdit(line.flag.app)} />
            )}
          </tr>
        );
      }),
    [items[0]?.index, items.at(-1)?.index, lines, total, scrollMargin, cards, store, withApp, principal, environments],
  );
  useRowKeys(frame, lines, virtual);

  return (
    <div ref={frame} className={cards ? styles.cards : styles.table}>
      <Hints within={frame} />
      <table aria-label="Flags" aria-rowcount={lines.length + 1}>
        {!cards && <TableHead sort={sort} descending={descending} onSort={onSort} />}
        <tbody ref={body} className={styles.body} style={{ height: total }}>
          {rows}
        </tbody>
      </table>
      {!cards &&
        columns !== null &&
        blocksOf(items).map((block) => {
          const places = block.flatMap(({ index, start }) => {
            const line = lines[index];
            if (line?.kind !== "flag") return [];
            const top = HEAD + start - scrollMargin + (ROW - SPARK_HEIGHT) / 2;
            return [{ id: idOf(line.flag), top, threshold: line.flag.circuit?.error_threshold ?? null }];
          });
          return <SparkCanvas key={block[0]?.index} store={store} places={places} columns={columns} />;
        })}
    </div>
  );
}

function Heading({ line, environment }: { line: Line & { kind: "app" }; environment: string | null }) {
  return (
    <th colSpan={9} scope="rowgroup" className={styles.headingText}>
      {line.app}
      <span className={styles.quiet}>
        {environment !== null && `${environment} · `}
        {counted(line.flags, "flag")}
        {line.open > 0 && ` · ${line.open} open or recovering`}
      </span>
    </th>
  );
}

/** Which lines are in the page: those on the screen and a few more, in whole blocks. */
function inBlocks({ startIndex, endIndex, overscan, count }: Range): number[] {
  const from = Math.floor(Math.max(startIndex - overscan, 0) / BLOCK) * BLOCK;
  const until = Math.min(Math.ceil((endIndex + overscan + 1) / BLOCK) * BLOCK, count);
  return Array.from({ length: until - from }, (_, place) => from + place);
}

function blocksOf(items: readonly VirtualItem[]): VirtualItem[][] {
  const blocks: VirtualItem[][] = [];
  for (let from = 0; from < items.length; from += BLOCK) blocks.push(items.slice(from, from + BLOCK));
  return blocks;
}

function keyOf(line: Line | undefined): string {
  if (line === undefined) return "";
  return line.kind === "app" ? `app ${line.app}` : idOf(line.flag);
}

/** How far from the top of the page an element begins; what is above it comes and goes. */
function useTopOf(element: RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      if (element.current !== null) setTop(Math.round(element.current.getBoundingClientRect().top + window.scrollY));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [element]);
  return top;
}

/** Where the columns of the graphs are, by the table's head. */
function useSparkColumns(table: RefObject<HTMLElement | null>, cards: boolean): SparkColumns | null {
  const [columns, setColumns] = useState<SparkColumns | null>(null);
  useLayoutEffect(() => {
    const element = table.current;
    if (element === null || cards) return;
    const measure = () => {
      const place = (name: string) => {
        const cell = element.querySelector<HTMLElement>(`[data-spark="${name}"]`);
        if (cell === null) return { left: 0, width: 0 };
        const { left, width } = cell.getBoundingClientRect();
        return { left: Math.round(left - element.getBoundingClientRect().left), width };
      };
      setColumns({ calls: place("calls"), errors: place("errors"), height: SPARK_HEIGHT });
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [table, cards]);
  return columns;
}
