import { count, counted, exactSpan, roughSpan, share } from "@/components/numbers";
import type { Band } from "../graph/bands";
import { rateOf } from "../graph/series";
import type { Preview, PreviewRange } from "./api";

const TIMES: Readonly<Record<PreviewRange, string>> = { "1h": "hour", "24h": "day" };

/** `once`, `twice`, `5 times` */
export function times(value: number): string {
  return value === 1 ? "once" : value === 2 ? "twice" : `${count(value)} times`;
}

/** To two digits: it is an estimate. */
export function about(value: number): string {
  if (value < 1) return "no";
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return `about ${count(Math.round(value / unit) * unit)}`;
}

/** What the settings would have done, and what the present ones would have, where those are others. */
export function previewInWords(range: PreviewRange, tried: Preview, present: Preview | null): string[] {
  const time = TIMES[range];
  if (!tried.counted || tried.calls === 0) return [`No calls of this flag were counted in the last ${time}.`];
  const sentences = [
    `In the last ${time} ${share(rateOf(tried.failures, tried.calls))} of ${counted(tried.calls, "call")} failed.`,
    whatItDid(present === null ? "The present settings" : "These settings", tried),
  ];
  if (present !== null) sentences.push(whatItDid("The present settings", present));
  return sentences;
}

function whatItDid(which: string, preview: Preview): string {
  if (preview.opened === 0) return `${which} would not have opened it.`;
  const { failures, successes } = preview.avoided;
  const kept = `${about(failures)} failed calls would have been kept from users`;
  const lost = successes < 1 ? "" : `, and ${about(successes)} good ones with them`;
  return `${which} would have opened it ${times(preview.opened)}, for ${span(preview.open_ms)} in all; ${kept}${lost}.`;
}

function span(ms: number): string {
  return ms < 120_000 ? exactSpan(Math.round(ms / 1000) * 1000) : roughSpan(ms);
}

/** The stretches in which the simulated circuit would have kept users away. */
export function previewBands(preview: Preview): Band[] {
  return preview.transitions.flatMap(({ at_ms: fromMs, state, percentage, lasted_ms: lastedMs }) =>
    state === "open" || state === "recovering" ? [{ state, percentage, fromMs, toMs: fromMs + lastedMs }] : [],
  );
}
