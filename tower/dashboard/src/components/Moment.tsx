import { Tooltip } from "@mantine/core";
import { roughSpan } from "./numbers";
import { localMoment, useNow, utcMoment } from "./times";

function inMs(at: string | number): number {
  return typeof at === "number" ? at : Date.parse(at);
}

/** A moment in the reader's zone, in UTC on hover. `at` is ISO 8601 or Unix milliseconds. */
export function Moment({ at }: { at: string | number }) {
  const nowMs = useNow();
  const atMs = inMs(at);
  return (
    <Tooltip label={utcMoment(atMs)}>
      <time dateTime={new Date(atMs).toISOString()}>{localMoment(atMs, nowMs)}</time>
    </Tooltip>
  );
}

/** How long ago something was, with the moment on hover: `3 min ago`. */
export function Ago({ at, suffix = " ago" }: { at: string | number; suffix?: string }) {
  const nowMs = useNow();
  const atMs = inMs(at);
  return (
    <Tooltip label={`${localMoment(atMs, nowMs)} (${utcMoment(atMs)})`}>
      <time dateTime={new Date(atMs).toISOString()}>{roughSpan(nowMs - atMs) + suffix}</time>
    </Tooltip>
  );
}
