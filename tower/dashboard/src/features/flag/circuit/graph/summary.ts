import { count, share } from "@/components/numbers";
import { localMoment } from "@/components/times";
import { type Graph, rateOf, type Series } from "./series";

/** What the graphs show, in a sentence for those who cannot see them. */
export function summaryOf(series: Series, graph: Graph, fromMs: number, toMs: number, nowMs: number): string {
  const sum = (values: (number | null)[]) => values.reduce<number>((total, value) => total + (value ?? 0), 0);
  const calls = sum(series.feature.calls);
  const failures = sum(series.feature.failures);
  const time = `Error rate and calls from ${localMoment(fromMs, nowMs)} to ${localMoment(toMs, nowMs)}.`;
  if (calls === 0) return `${time} No calls of the feature were counted.`;
  const threshold = graph.thresholds.error_rate;
  const most = series.feature.errorRate.reduce<number>((top, value) => Math.max(top, value ?? 0), 0);
  const bound = threshold === null ? "" : ` The threshold is ${share(threshold)}.`;
  return `${time} ${share(rateOf(failures, calls))} of ${count(calls)} calls failed, at most ${share(most)} in one point.${bound} The arrow keys read single points.`;
}
