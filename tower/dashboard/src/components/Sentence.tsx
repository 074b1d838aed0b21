import { Text, type TextProps } from "@mantine/core";
import { Fragment } from "react";
import type { Schemas } from "@/api/client";
import { useLiveState } from "@/live/LiveProvider";
import { Moment } from "./Moment";
import { roughSpan } from "./numbers";
import { useNow } from "./times";

type State = Schemas["FlagStateOut"];
type Part = { text: string } | { moment: number } | { age: number } | { countdown: number };

/**
 * What is true of a flag, in the words of `core/tailslide_core/sentences/`: Tower gives the parts, and the page counts
 * the seconds and writes times in the reader's zone. Without the live connection the seconds stand still, and the
 * sentence says as of when it is shown. `main` leaves out all but the first sentence.
 */
export function Sentence({ state, main = false, ...text }: { state: State; main?: boolean } & TextProps) {
  const live = useLiveState();
  const stale = live.phase === "gone" && live.lastLiveMs !== null ? live.lastLiveMs : null;
  const now = useNow();
  const nowMs = stale ?? now;
  const sentences = (main ? state.parts.slice(0, 1) : state.parts) as unknown as Part[][];
  return (
    <Text component="p" {...text}>
      {stale !== null && !main && (
        <>
          Shown as of <Moment at={stale} />: the live connection is gone, trying again.{" "}
        </>
      )}
      {sentences.map((parts, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: sentences have no identity besides their place
        <Fragment key={place}>
          {place > 0 && " "}
          {parts.map((part, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: neither have their parts
            <Fragment key={index}>{written(part, nowMs)}</Fragment>
          ))}
        </Fragment>
      ))}
    </Text>
  );
}

function written(part: Part, nowMs: number) {
  if ("text" in part) return part.text;
  if ("moment" in part) return <Moment at={part.moment} />;
  if ("age" in part) return roughSpan(nowMs - part.age);
  return roughSpan(part.countdown - nowMs, true);
}
