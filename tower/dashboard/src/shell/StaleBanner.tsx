import { Alert } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import { sentenceOf } from "@/api/problem";
import { Moment } from "@/components/Moment";
import { useLiveState } from "@/live/LiveProvider";

/** Says above every page that what it shows may be old. */
export function StaleBanner() {
  const { phase, lastLiveMs, detail } = useLiveState();
  if (phase === "behind") {
    return (
      <Alert mb="md" color="gray" variant="outline" icon={<IconPlugConnectedX />} role="alert">
        {sentenceOf(`Tower cannot follow changes now${detail === null ? "" : `: ${detail}`}`)} What has changed is shown
        afterwards.
      </Alert>
    );
  }
  if (phase !== "gone" || lastLiveMs === null) return null;
  return (
    <Alert mb="md" color="gray" variant="outline" icon={<IconPlugConnectedX />} role="alert">
      Shown as of <Moment at={lastLiveMs} />: {detail ?? "the live connection is gone"}, trying again.
    </Alert>
  );
}
