import { Button, Collapse, SegmentedControl, Skeleton, Stack, Text, UnstyledButton } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { type KeyboardEvent, useId, useMemo, useState } from "react";
import { useSearchParams } from "react-router";
import { rate, share } from "@/components/numbers";
import { localMoment } from "@/components/times";
import { ErrorState } from "@/components/views";
import type { Flag } from "@/features/flags/api";
import { percentageTop, roundTop } from "./axes";
import { bandsOf, type Present } from "./bands";
import { Chart, type Drawn } from "./Chart";
import styles from "./graph.module.css";
import { Happened } from "./Happened";
import { NoCalls } from "./NoCalls";
import { Readout } from "./Readout";
import { Ribbon } from "./Ribbon";
import { added, ended, type LiveBuckets, perSecond, type Series } from "./series";
import { isRange, limitsOf, RANGES, rangeBehind, spanOf, withSpan, zoomed } from "./span";
import { summaryOf } from "./summary";
import { useGraph } from "./useGraph";

const RATE_HEIGHT = 240;
const CALLS_HEIGHT = 130;

const RATES: readonly Drawn[] = [
  { kind: "step", colour: "opensAt", width: 1.25 },
  { kind: "line", colour: "fallback", width: 1.75 },
  { kind: "line", colour: "feature", width: 2 },
];
// The sums first: what lies before them covers their lower parts.
const CALLS: readonly Drawn[] = [
  { kind: "bars", colour: "fallbackSoft", fill: "fallbackSoft" },
  { kind: "bars", colour: "fallback", fill: "fallback" },
  { kind: "bars", colour: "featureSoft", fill: "featureSoft" },
  { kind: "bars", colour: "feature", fill: "feature" },
];
const SLOW: readonly Drawn[] = [
  { kind: "line", colour: "fallback", width: 1.5 },
  { kind: "line", colour: "feature", width: 2 },
];
const LATENCIES: readonly Drawn[] = [
  { kind: "line", colour: "feature", width: 1.25, dash: [2, 3] },
  { kind: "line", colour: "feature", width: 1.25, dash: [7, 4] },
  { kind: "line", colour: "feature", width: 2 },
];

/** The graphs of a flag on one time axis, with what happened meanwhile. */
export default function Graphs({ flag, live, changes }: { flag: Flag; live: LiveBuckets; changes: number }) {
  const [query, setQuery] = useSearchParams();
  const span = useMemo(() => spanOf(query), [query]);
  const graph = useGraph(flag, span, live, changes);
  const [place, setPlace] = useState<number | null>(null);
  // While a time is being drawn, the graph stands still under the pointer.
  const [heldMs, setHeldMs] = useState<number | null>(null);
  const { series, nowMs, old } = graph;
  const { fromMs, toMs } = heldMs === null ? graph : limitsOf(span, heldMs);
  const { data } = graph.query;
  const isZoomed = !("range" in span);
  const back = () => setQuery(withSpan(query, { range: rangeBehind(query) }));
  const onZoom = (one: number, other: number) => setQuery(withSpan(query, zoomed(one, other, nowMs)));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape" && isZoomed) back();
    if (series === null || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
    event.preventDefault();
    const last = ended(series) - 1;
    setPlace(Math.min(Math.max((place ?? last) + (event.key === "ArrowLeft" ? -1 : 1), 0), last));
  };
  return (
    <Stack gap={0}>
      <div className={styles.head}>
        <SegmentedControl
          size="xs"
          aria-label="Time range"
          data={Object.entries(RANGES).map(([value, { label }]) => ({ value, label }))}
          value={isZoomed ? "" : span.range}
          onChange={(value) => isRange(value) && setQuery(withSpan(query, { range: value }))}
        />
        {isZoomed ? (
          <>
            <Text size="sm">
              {localMoment(fromMs, nowMs)} to {localMoment(toMs, nowMs)}
            </Text>
            <Button size="compact-sm" variant="light" onClick={back}>
              Back to live
            </Button>
          </>
        ) : (
          <Text size="xs" c="var(--quiet)" className={`${styles.hint} ${old ? "" : styles.drag}`}>
            {old ? `Shown as of ${localMoment(nowMs, nowMs)}` : "Drag over the graph to look closer."}
          </Text>
        )}
      </div>
      {series !== null && data !== undefined ? (
        <section
          className={`${styles.graphs} ${old ? styles.old : ""}`}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the crosshair
          tabIndex={0}
          aria-label={summaryOf(series, data, fromMs, toMs, nowMs)}
          onKeyDown={onKeyDown}
          onPointerDown={() => setHeldMs(nowMs)}
          onPointerUp={() => setHeldMs(null)}
          onPointerCancel={() => setHeldMs(null)}
          onMouseLeave={() => {
            setPlace(null);
            setHeldMs(null);
          }}
          onBlur={() => setPlace(null)}
        >
          {graph.query.isError && <ErrorState error={graph.query.error} retry={() => void graph.query.refetch()} />}
          <Drawings
            flag={flag}
            graph={{ series, data, fromMs, toMs, nowMs }}
            place={place}
            onPlace={setPlace}
            onZoom={onZoom}
          />
          {!data.feature.counted && !data.fallback.counted && <NoCalls flag={flag} />}
        </section>
      ) : graph.query.isError ? (
        <div style={{ minHeight: RATE_HEIGHT + CALLS_HEIGHT }}>
          <ErrorState error={graph.query.error} retry={() => void graph.query.refetch()} />
        </div>
      ) : (
        <Skeleton height={RATE_HEIGHT + CALLS_HEIGHT + 130} role="status" aria-label="Loading the graphs" />
      )}
      {data !== undefined && <Happened marks={data.marks} omitted={data.marks_omitted} nowMs={nowMs} />}
    </Stack>
  );
}

interface Shown {
  series: Series;
  data: NonNullable<ReturnType<typeof useGraph>["query"]["data"]>;
  fromMs: number;
  toMs: number;
  nowMs: number;
}

function presentOf({ state: { circuit } }: Flag): Present | null {
  if (circuit === null) return null;
  const { state, percentage, since } = circuit;
  return { state, percentage, sinceMs: since === null ? null : Date.parse(since) };
}

function Drawings({
  flag,
  graph: { series, data, fromMs, toMs, nowMs },
  place,
  onPlace,
  onZoom,
}: {
  flag: Flag;
  graph: Shown;
  place: number | null;
  onPlace: (place: number | null) => void;
  onZoom: (fromMs: number, toMs: number) => void;
}) {
  const sync = useId();
  const [unfolded, setUnfolded] = useLocalStorage({
    key: "tailslide-graph-more",
    defaultValue: false,
    getInitialValueInEffect: false,
  });
  const bands = useMemo(() => bandsOf(data.marks, presentOf(flag), fromMs, toMs), [data.marks, flag, fromMs, toMs]);
  const drawn = useMemo(() => listsOf(series), [series]);
  const threshold = data.thresholds.error_rate;
  const shared = { fromMs, toMs, sync, bands, onPlace, onZoom };
  return (
    <>
      <Readout series={series} place={place} threshold={threshold} nowMs={nowMs} />
      <Ribbon bands={bands} marks={data.marks} fromMs={fromMs} toMs={toMs} nowMs={nowMs} />
      <div className={styles.title}>Error rate: failed calls of all calls</div>
      <Chart
        {...shared}
        drawn={RATES}
        data={drawn.rates}
        height={RATE_HEIGHT}
        times={false}
        top={percentageTop(threshold, [series.feature.errorRate, series.fallback.errorRate], series.opensAt)}
        threshold={threshold === null ? null : { value: threshold, words: `Threshold ${share(threshold)}` }}
        written={share}
      />
      <div className={styles.title}>
        <span>Calls a second</span>
        <CallsLegend />
      </div>
      <Chart
        {...shared}
        drawn={CALLS}
        data={drawn.calls}
        height={CALLS_HEIGHT}
        top={roundTop([drawn.calls[1] as (number | null)[]], 1)}
        written={rate}
      />
      {threshold !== null && (
        <Text size="xs" c="var(--quiet)" mt={4}>
          The dashed line is the threshold. The grey line is what the error rate has to reach for the circuit to open:
          the fewer the calls, the further it lies above the threshold, since a few calls may fail by chance. Where it
          is missing, there are too few calls to judge.
        </Text>
      )}
      <UnstyledButton className={styles.fold} aria-expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
        {unfolded ? <IconChevronDown size={14} aria-hidden /> : <IconChevronRight size={14} aria-hidden />}
        Slow calls and latency
      </UnstyledButton>
      <Collapse expanded={unfolded} transitionDuration={0}>
        {unfolded && <More shared={shared} series={series} drawn={drawn} threshold={data.thresholds.slow_rate} />}
      </Collapse>
    </>
  );
}

function More({
  shared,
  series,
  drawn,
  threshold,
}: {
  shared: Omit<Parameters<typeof Chart>[0], "drawn" | "data" | "top" | "height" | "written">;
  series: Series;
  drawn: ReturnType<typeof listsOf>;
  threshold: number | null;
}) {
  return (
    <>
      <div className={styles.title}>
        {threshold === null
          ? "Slow calls: this flag does not say how long a slow call takes"
          : "Slow calls of all calls"}
      </div>
      {threshold !== null && (
        <Chart
          {...shared}
          drawn={SLOW}
          data={drawn.slow}
          height={120}
          times={false}
          top={percentageTop(threshold, [series.feature.slowRate, series.fallback.slowRate])}
          threshold={{ value: threshold, words: `Threshold ${share(threshold)}` }}
          written={share}
        />
      )}
      <div className={styles.title}>
        <span>
          Latency of the feature in ms: half of the calls are faster than p50 (dotted), nine of ten than p90 (dashed),
          99 of 100 than p99
        </span>
      </div>
      <Chart
        {...shared}
        drawn={LATENCIES}
        data={drawn.latency}
        height={150}
        top={roundTop([series.latency.p99, series.latency.p90], 10)}
        written={(value) => `${value.toLocaleString()}`}
      />
    </>
  );
}

function CallsLegend() {
  return (
    <span className={styles.legend}>
      {(
        [
          ["--feature-soft", "feature, answered"],
          ["--feature", "feature, failed"],
          ["--fallback-soft", "fallback, answered"],
          ["--fallback", "fallback, failed"],
        ] as const
      ).map(([colour, name]) => (
        <span key={name}>
          <span className={styles.box} style={{ background: `var(${colour})` }} /> {name}
        </span>
      ))}
    </span>
  );
}

type Lists = [number[], ...(number | null)[][]];

/** The lists that the charts draw, up to the last bucket that has ended; a bucket stands at its middle. */
function listsOf(series: Series): Record<"rates" | "calls" | "slow" | "latency", Lists> {
  const length = ended(series);
  const times = series.atMs.slice(0, length).map((atMs) => atMs + series.resolutionMs / 2);
  const cut = (values: (number | null)[]) => values.slice(0, length);
  const failures = cut(perSecond(series.feature.failures, series));
  const feature = cut(perSecond(series.feature.calls, series));
  const fallbackFailures = cut(perSecond(series.fallback.failures, series));
  const fallback = cut(perSecond(series.fallback.calls, series));
  return {
    rates: [times, cut(series.opensAt), cut(series.fallback.errorRate), cut(series.feature.errorRate)],
    calls: [times, added(feature, fallback), added(feature, fallbackFailures), feature, failures],
    slow: [times, cut(series.fallback.slowRate), cut(series.feature.slowRate)],
    latency: [times, cut(series.latency.p50), cut(series.latency.p90), cut(series.latency.p99)],
  };
}
