import { Tooltip } from "@mantine/core";
import { IconBolt, IconCheck, IconStairsUp, IconUser } from "@tabler/icons-react";
import { percent } from "@/components/numbers";
import { localMoment } from "@/components/times";
import { type Band, clustersOf, isShown, type Mark, stateAfter } from "./bands";
import { AXIS_WIDTH, RIGHT_GAP } from "./Chart";
import styles from "./graph.module.css";

interface Times {
  fromMs: number;
  toMs: number;
  nowMs: number;
}

/** Above the graphs and on their time axis: what the circuit was, in words, and the marks of what happened. */
export function Ribbon({
  bands,
  marks,
  fromMs,
  toMs,
  nowMs,
}: { bands: readonly Band[]; marks: readonly Mark[] } & Times) {
  const place = (atMs: number) => `${((atMs - fromMs) / (toMs - fromMs)) * 100}%`;
  const shown = marks.filter((mark) => {
    const atMs = Date.parse(mark.at);
    return isShown(mark) && atMs >= fromMs && atMs <= toMs;
  });
  const clusters = clustersOf(shown, (toMs - fromMs) / 36);
  return (
    <div style={{ paddingLeft: AXIS_WIDTH, paddingRight: RIGHT_GAP }}>
      <div className={styles.lane}>
        {clusters.map(({ atMs, marks: together }) => (
          <Tooltip
            key={together[0]?.id}
            label={<Told marks={together} nowMs={nowMs} />}
            multiline
            maw={420}
            openDelay={0}
          >
            <button
              type="button"
              className={styles.mark}
              style={{ left: place(atMs) }}
              data-state={together.length === 1 && together[0] ? (stateAfter(together[0]) ?? undefined) : undefined}
              aria-label={together
                .map((mark) => `${localMoment(Date.parse(mark.at), nowMs)}: ${mark.sentence}`)
                .join(" ")}
            >
              {together.length === 1 && together[0] ? <MarkIcon mark={together[0]} /> : together.length}
            </button>
          </Tooltip>
        ))}
      </div>
      <div className={styles.ribbon} aria-hidden>
        {bands.map((band) => (
          <span
            key={`${band.state}${band.fromMs}`}
            className={styles.piece}
            data-state={band.state}
            style={{ left: place(band.fromMs), width: `${((band.toMs - band.fromMs) / (toMs - fromMs)) * 100}%` }}
          >
            <span className={styles.word}>{wordOf(band)}</span>
          </span>
        ))}
      </div>
    </div>
  );
}

function wordOf({ state, percentage }: Band): string {
  if (state === "open") return "Open";
  return percentage === null ? "Recovering" : percent(percentage);
}

function Told({ marks, nowMs }: { marks: readonly Mark[]; nowMs: number }) {
  const latest = [...marks].reverse().slice(0, 5);
  return (
    <>
      {latest.map((mark) => (
        <div key={mark.id}>
          {localMoment(Date.parse(mark.at), nowMs)}: {mark.sentence}
        </div>
      ))}
      {marks.length > latest.length && <div>and {marks.length - latest.length} more</div>}
    </>
  );
}

export function MarkIcon({ mark }: { mark: Mark }) {
  const state = stateAfter(mark);
  if (mark.kind === "flag" || mark.action === "circuit.reset") return <IconUser size={12} aria-hidden />;
  if (state === "open") return <IconBolt size={12} aria-hidden />;
  return state === "recovering" ? <IconStairsUp size={12} aria-hidden /> : <IconCheck size={12} aria-hidden />;
}
