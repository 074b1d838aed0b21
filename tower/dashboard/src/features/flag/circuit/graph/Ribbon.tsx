import { Tooltip } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { IconBolt, IconCheck, IconStairsUp, IconUser } from "@tabler/icons-react";
import { percent } from "@/components/numbers";
import { localMoment } from "@/components/times";
import { type Band, clustersOf, isShown, type Mark, recoveriesOf, stateAfter } from "./bands";
import styles from "./graph.module.css";

interface Times {
  fromMs: number;
  toMs: number;
}

const MARK_PX = 22;
const SHARE_PX = 34;
/** Below this the edge of a piece, and room for words, would be all there is of it. */
const LEAST_PX = 12;
const WORD_PX = 78;

/** Above the graphs and on their time axis: what the circuit was, in words, and the marks of what happened. */
export function Ribbon({
  bands,
  marks,
  fromMs,
  toMs,
  nowMs,
}: { bands: readonly Band[]; marks: readonly Mark[]; nowMs: number } & Times) {
  const { ref, width } = useElementSize();
  const shown = marks.filter((mark) => {
    const atMs = Date.parse(mark.at);
    return isShown(mark) && atMs >= fromMs && atMs <= toMs;
  });
  const clusters = clustersOf(shown, ((toMs - fromMs) * MARK_PX) / Math.max(width, 200));
  return (
    <>
      <div className={styles.aside}>
        <div className={styles.lane} ref={ref}>
          {clusters.map((cluster) => (
            <MarkButton
              key={cluster.marks[0]?.id}
              marks={cluster.marks}
              left={`${((cluster.atMs - fromMs) / (toMs - fromMs)) * 100}%`}
              nowMs={nowMs}
            />
          ))}
        </div>
      </div>
      <Strip bands={bands} fromMs={fromMs} toMs={toMs} />
    </>
  );
}

function MarkButton({ marks, left, nowMs }: { marks: readonly Mark[]; left: string; nowMs: number }) {
  const only = marks.length === 1 ? marks[0] : undefined;
  const told = (mark: Mark) => `${localMoment(Date.parse(mark.at), nowMs)}: ${mark.sentence}`;
  const latest = [...marks].reverse().slice(0, 5);
  const label = (
    <>
      {latest.map((mark) => (
        <div key={mark.id}>{told(mark)}</div>
      ))}
      {marks.length > latest.length && <div>and {marks.length - latest.length} more</div>}
    </>
  );
  return (
    <Tooltip label={label} multiline maw={420} openDelay={0} events={{ hover: true, focus: true, touch: true }}>
      <button
        type="button"
        className={styles.mark}
        style={{ left }}
        data-state={worstOf(marks)}
        aria-label={latest.map(told).join(" ")}
      >
        {only === undefined ? marks.length : <MarkIcon mark={only} />}
      </button>
    </Tooltip>
  );
}

/** A group with a trip among its marks looks like one. */
function worstOf(marks: readonly Mark[]): "open" | "recovering" | undefined {
  const states = marks.map(stateAfter);
  return states.includes("open") ? "open" : states.includes("recovering") ? "recovering" : undefined;
}

/** What a circuit was, or would have been: a recovery with its steps where they can be read, and as one where not. */
export function Strip({ bands, fromMs, toMs }: { bands: readonly Band[] } & Times) {
  const { ref, width } = useElementSize();
  const perMs = width / (toMs - fromMs);
  const pieces = recoveriesOf(bands, SHARE_PX / Math.max(perMs, Number.MIN_VALUE));
  return (
    <div className={styles.aside} aria-hidden>
      <div className={styles.ribbon} ref={ref}>
        {pieces.map((piece) => {
          const room = (piece.toMs - piece.fromMs) * perMs;
          return (
            <span
              key={`${piece.state}${piece.fromMs}`}
              className={room < LEAST_PX ? styles.piece : `${styles.piece} ${styles.wide}`}
              data-state={piece.state}
              style={{
                left: `${((piece.fromMs - fromMs) / (toMs - fromMs)) * 100}%`,
                width: `${((piece.toMs - piece.fromMs) / (toMs - fromMs)) * 100}%`,
              }}
            >
              {wordOf(piece, room)}
            </span>
          );
        })}
      </div>
    </div>
  );
}

function wordOf({ state, percentage }: Band, room: number): string {
  if (state === "open") return room < SHARE_PX + 6 ? "" : "Open";
  if (percentage === null) return room < WORD_PX ? "" : "Recovering";
  return room < SHARE_PX ? "" : percent(Math.round(percentage * 10) / 10);
}

export function MarkIcon({ mark }: { mark: Mark }) {
  const state = stateAfter(mark);
  if (mark.kind === "flag" || mark.action === "circuit.reset") return <IconUser size={12} aria-hidden />;
  if (state === "open") return <IconBolt size={12} aria-hidden />;
  return state === "recovering" ? <IconStairsUp size={12} aria-hidden /> : <IconCheck size={12} aria-hidden />;
}
