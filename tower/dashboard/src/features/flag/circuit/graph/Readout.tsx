import type { ReactNode } from "react";
import { count, NOT_KNOWN, share } from "@/components/numbers";
import { localMoment } from "@/components/times";
import styles from "./graph.module.css";
import { type Calls, lastRead, type Series } from "./series";

/** The numbers at the crosshair; without one, those of the last bucket that has ended. It is the graphs' legend as well. */
export function Readout({
  series,
  place: pointed,
  threshold,
  nowMs,
}: {
  series: Series;
  /** The bucket to show; null for the last one that is known. */
  place: number | null;
  threshold: number | null;
  nowMs: number;
}) {
  const place = pointed ?? lastRead(series);
  const atMs = series.atMs[place];
  const opensAt = series.opensAt[place] ?? null;
  return (
    <div className={styles.readout}>
      <div className={styles.when}>
        {atMs === undefined ? NOT_KNOWN : localMoment(atMs, nowMs)}
        {pointed === null && <small>the latest</small>}
      </div>
      <dl className={styles.entries}>
        <Entry kind="feature" name="Feature">
          {inWords(series.feature, place)}
        </Entry>
        <Entry kind="fallback" name="Fallback">
          {atMs !== undefined && atMs + series.resolutionMs > series.readMs && series.resolutionMs < 10_000
            ? NOT_KNOWN
            : inWords(series.fallback, place)}
        </Entry>
        {threshold !== null && (
          <>
            <Entry kind="threshold" name="Threshold">
              {share(threshold)}
            </Entry>
            <Entry kind="opensAt" name="Needed to open">
              {opensAt === null ? NOT_KNOWN : share(opensAt)}
            </Entry>
          </>
        )}
      </dl>
    </div>
  );
}

function Entry({ kind, name, children }: { kind: string; name: string; children: ReactNode }) {
  return (
    <div>
      <dt>
        <span className={styles.swatch} data-kind={kind} />
        {name}
      </dt>
      <dd>{children}</dd>
    </div>
  );
}

function inWords(calls: Calls, place: number): string {
  const total = calls.calls[place] ?? null;
  if (total === null) return "no calls";
  return `${share(calls.errorRate[place])} of ${count(total)} failed`;
}
