import { Tooltip } from "@mantine/core";
import { roughSpan } from "./numbers";
import { localMoment, useTimeText, utcMoment } from "./times";

function inMs(at: string | number): number {
  return typeof at === "number" ? at : Date.parse(at);
}

/** A moment in the reader's zone, in UTC on hover. `at` is ISO 8601 or Unix milliseconds. */
export function Moment({ at }: { at: string | number }) {
  const atMs = inMs(at);
  const text = useTimeText((nowMs) => localMoment(atMs, nowMs));
  return (
    <Tooltip label={utcMoment(atMs)}>
      <time dateTime={new Date(atMs).toISOString()}>{text}</time>
    </Tooltip>
  );
}

/** How long ago something was, with the moment on hover: `3 min ago`. */
export function Ago({ at, suffix = " ago" }: { at: string | number; suffix?: string }) {
  const atMs = inMs(at);
  const moment = useTimeText((nowMs) => localMoment(atMs, nowMs));
  const age = useTimeText((nowMs) => roughSpan(nowMs - atMs));
  return (
    <Tooltip label={`${moment} (${utcMoment(atMs)})`}>
      <time dateTime={new Date(atMs).toISOString()}>{age + suffix}</time>
    </Tooltip>
  );
}
