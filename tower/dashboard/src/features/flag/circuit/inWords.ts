import { counted, exactSpan, percent } from "@/components/numbers";
import type { Circuit } from "../editing/draft";
import { delayMs, type Recovery, rampOf } from "./ramp";

/** What a circuit's settings mean, in words that change while one edits. */

const NAMED_STEPS = 3;

/** `10%, 20%, 30% … 90%` */
export function stepsInWords(recovery: Recovery): string {
  const { steps, more } = rampOf(recovery);
  const last = steps.at(-1) ?? 100;
  if (steps.length <= NAMED_STEPS + 1) return steps.map(percent).join(", ");
  return `${steps.slice(0, NAMED_STEPS).map(percent).join(", ")} … ${more ? "" : percent(last)}`.trimEnd();
}

/** How long users are kept away in all, at the least: the delay and every step. */
export function recoveryMs(recovery: Recovery, trips: number): number | null {
  const { steps, more } = rampOf(recovery);
  return more ? null : delayMs(recovery, trips) + steps.length * recovery.interval_ms;
}

/** What a recovery would be, after so many trips in a row. */
export function recoveryInWords(recovery: Recovery, trips: number): string {
  const waits = exactSpan(delayMs(recovery, trips + 1));
  const { steps } = rampOf(recovery);
  const wholeMs = recoveryMs(recovery, trips + 1);
  const each = exactSpan(recovery.interval_ms);
  const stepped =
    steps.length === 1
      ? `then ${stepsInWords(recovery)} of the rollout for ${each}`
      : `then ${stepsInWords(recovery)} of the rollout, ${each} each`;
  const whole = wholeMs === null ? "" : ` Everyone is back after ${exactSpan(wholeMs)} at the earliest.`;
  return `When it opens: nobody for ${waits}, ${stepped}.${whole}`;
}

/** When a circuit with these settings opens, and how users come back. */
export function settingsInWords(circuit: Circuit | null): string {
  if (circuit === null) return "No circuit: calls are counted, and nothing is taken from users.";
  const judged = `judged from ${counted(circuit.min_calls, "call")} on, over ${exactSpan(circuit.window_ms)} at most, or up to ${exactSpan(circuit.long_window_ms)} where calls are few`;
  const slow =
    circuit.slow_call_ms === null || circuit.slow_threshold === null
      ? ""
      : `, or when more than ${percent(circuit.slow_threshold)} take longer than ${exactSpan(circuit.slow_call_ms)}`;
  const opens =
    circuit.error_threshold >= 100 && slow === ""
      ? "Never opens by itself: no error rate is above 100%."
      : `Opens when more than ${percent(circuit.error_threshold)} of calls fail${slow}, ${judged}.`;
  const { recovery } = circuit;
  const back =
    recovery === null
      ? "Users come back when a person lets them."
      : `Users come back after ${exactSpan(recovery.delay_ms)}, ${percent(recovery.initial)} first.`;
  return `${opens} ${back}`;
}
