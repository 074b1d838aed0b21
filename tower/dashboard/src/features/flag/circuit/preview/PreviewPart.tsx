import { Button, Group, Loader, SegmentedControl, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { sentenceOf } from "@/api/problem";
import { Moment } from "@/components/Moment";
import { type Circuit, same } from "../../editing/draft";
import type { Editing } from "../../editing/useEditing";
import { type Preview, type PreviewRange, previewQuery } from "./api";
import { previewInWords } from "./words";

const PreviewPicture = lazy(() => import("./PreviewPicture"));

const AFTER_MS = 700;

/** What the settings that are being edited would have done on the calls of the last hour or day. */
export function PreviewPart({ editing }: { editing: Editing }) {
  const { draft, saved } = editing;
  const [range, setRange] = useState<PreviewRange>("1h");
  const [asked, setAsked] = useState(false);
  if (draft.circuit === null) return null;
  return (
    <section aria-label="What these settings would have done">
      <Group justify="space-between" gap="xs">
        <Title order={2}>What these settings would have done</Title>
        <SegmentedControl
          size="xs"
          aria-label="On the calls of"
          data={[
            { value: "1h", label: "Last hour" },
            { value: "24h", label: "Last day" },
          ]}
          value={range}
          onChange={(value) => setRange(value === "24h" ? "24h" : "1h")}
        />
      </Group>
      {asked ? (
        <Tried circuit={draft.circuit} present={saved.circuit} app={saved.app} flag={saved.key} range={range} />
      ) : (
        <Group gap="sm" mt="xs">
          <Button variant="default" onClick={() => setAsked(true)}>
            Try them on the calls of the last {range === "1h" ? "hour" : "day"}
          </Button>
          <Text size="sm" c="var(--quiet)">
            Nothing is changed by it. Afterwards it follows what you change above.
          </Text>
        </Group>
      )}
    </section>
  );
}

function Tried({
  circuit,
  present,
  app,
  flag,
  range,
}: {
  circuit: Circuit;
  present: Circuit | null;
  app: string;
  flag: string;
  range: PreviewRange;
}) {
  // Not at each key that is pressed.
  const [wanted] = useDebouncedValue(circuit, AFTER_MS);
  const differs = present !== null && !same(wanted, present);
  const tried = useQuery(previewQuery(app, flag, wanted, range));
  const before = useQuery({ ...previewQuery(app, flag, present ?? wanted, range), enabled: differs });
  const again = () => {
    void tried.refetch();
    if (differs) void before.refetch();
  };
  const busy = tried.isFetching || before.isFetching;
  if (tried.data === undefined) {
    return tried.isError ? <Refused error={tried.error} again={again} /> : <Skeleton height={280} mt="xs" />;
  }
  return (
    <Stack gap="xs" mt="xs">
      {tried.isError && <Refused error={tried.error} again={again} />}
      <Result range={range} tried={tried.data} present={differs ? (before.data ?? null) : null} />
      <Group gap="sm">
        <Button size="compact-sm" variant="default" onClick={again} disabled={busy}>
          Try again
        </Button>
        <Text size="xs" c="var(--quiet)" role="status">
          {busy ? (
            <>
              <Loader size={10} mr={6} />
              Trying these settings
            </>
          ) : (
            <>
              As of <Moment at={tried.data.points.now_ms} />
            </>
          )}
        </Text>
      </Group>
    </Stack>
  );
}

function Result({ range, tried, present }: { range: PreviewRange; tried: Preview; present: Preview | null }) {
  return (
    <>
      <div aria-live="polite">
        {previewInWords(range, tried, present).map((sentence, place) => (
          <Text key={sentence} fw={place === 1 ? 600 : undefined}>
            {sentence}
          </Text>
        ))}
      </div>
      {tried.calls > 0 && (
        <Suspense fallback={<Skeleton height={220} />}>
          <PreviewPicture range={range} tried={tried} present={present} />
        </Suspense>
      )}
      {tried.omitted_transitions > 0 && (
        <Text size="xs" c="var(--quiet)">
          The first {tried.omitted_transitions} transitions are counted, and not drawn.
        </Text>
      )}
      <details>
        <Text component="summary" size="sm" style={{ cursor: "pointer" }}>
          What this cannot know
        </Text>
        <ul>
          {tried.limits.map(({ code, message }) => (
            <li key={code}>
              <Text size="sm">{message}</Text>
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}

function Refused({ error, again }: { error: unknown; again: () => void }) {
  return (
    <Group gap="sm" mt="xs" role="alert">
      <Text size="sm">These settings could not be tried: {sentenceOf(error)}</Text>
      <Button size="compact-sm" variant="default" onClick={again}>
        Try again
      </Button>
    </Group>
  );
}
