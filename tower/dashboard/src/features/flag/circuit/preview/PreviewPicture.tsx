import { useQuery } from "@tanstack/react-query";
import { useId, useMemo } from "react";
import { share } from "@/components/numbers";
import { percentageTop } from "../graph/axes";
import { Chart, type Drawn } from "../graph/Chart";
import graph from "../graph/graph.module.css";
import { Strip } from "../graph/Ribbon";
import { seriesOf } from "../graph/series";
import { graphQuery } from "../graph/useGraph";
import type { Preview, PreviewRange } from "./api";
import { previewBands } from "./words";

const RATES: readonly Drawn[] = [{ kind: "line", colour: "feature", width: 1.5 }];

/** The error rate as it was, and above it when each of the settings would have kept users away. */
export default function PreviewPicture({
  range,
  tried,
  present,
}: {
  range: PreviewRange;
  tried: Preview;
  present: Preview | null;
}) {
  const sync = useId();
  const { data } = useQuery({ ...graphQuery(tried.app, tried.flag, { range }), refetchInterval: false });
  const series = useMemo(() => (data === undefined ? null : seriesOf(data)), [data]);
  const bands = useMemo(() => previewBands(tried), [tried]);
  const before = useMemo(() => (present === null ? null : previewBands(present)), [present]);
  const drawn = useMemo<[number[], (number | null)[]]>(
    () =>
      series === null
        ? [[], []]
        : [series.atMs.map((atMs) => atMs + series.resolutionMs / 2), series.feature.errorRate],
    [series],
  );
  const { from_ms: fromMs, to_ms: toMs } = tried.points;
  const threshold = Number(tried.settings.error_threshold);
  return (
    <div className={graph.graphs}>
      <div className={graph.title}>{present === null ? "With the present settings" : "With these settings"}</div>
      <Strip bands={bands} fromMs={fromMs} toMs={toMs} />
      {before !== null && (
        <>
          <div className={graph.title}>With the present settings</div>
          <Strip bands={before} fromMs={fromMs} toMs={toMs} />
        </>
      )}
      <div className={graph.title}>Error rate as it was</div>
      <Chart
        drawn={RATES}
        data={drawn}
        fromMs={fromMs}
        toMs={toMs}
        top={percentageTop(threshold, series === null ? [] : [series.feature.errorRate])}
        height={160}
        sync={sync}
        bands={bands}
        threshold={{ value: threshold, words: `Threshold ${share(threshold)}` }}
        written={share}
      />
    </div>
  );
}
