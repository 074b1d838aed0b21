import { Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { usePrefetchQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo } from "react";
import { useSearchParams } from "react-router";
import { idOf } from "@/features/flags/api";
import { useLiveNeed } from "@/live/LiveProvider";
import type { Editing } from "../editing/useEditing";
import { CircuitSettings } from "./CircuitSettings";
import styles from "./circuit.module.css";
import { nowSpan, spanOf } from "./graph/span";
import { graphQuery, useLiveBuckets, useSeconds, useWindows } from "./graph/useGraph";
import { Now } from "./Now";
import { Numbers } from "./Numbers";
import { PreviewPart } from "./preview/PreviewPart";
import { RampPicture } from "./Ramp";

// The graphs' library comes only where graphs are looked at, and at once there.
const graphs = import("./graph/Graphs");
const Graphs = lazy(() => graphs);

/** The circuit of a flag: what its calls say, what it is now and why, how users come back, and its settings. */
export function CircuitTab({ editing }: { editing: Editing }) {
  const { saved, draft, readOnly } = editing;
  const [query] = useSearchParams();
  const span = useMemo(() => spanOf(query), [query]);
  const { live, changes } = useLiveBuckets(saved);
  const now = useMemo(() => nowSpan(span), [span]);
  const seconds = useSeconds(saved, now, live, changes);
  const { windows, problem } = useWindows(saved, now);
  usePrefetchQuery(graphQuery(saved.app, saved.key, span));
  useLiveNeed({ refresh: [idOf(saved)] });
  const circuit = saved.state.circuit;
  const moving = circuit !== null && circuit.state !== "closed";
  const recovery = (moving ? saved : draft).circuit?.recovery ?? null;
  return (
    <Stack gap="md">
      <Paper withBorder p="md">
        <Numbers flag={saved} seconds={seconds} windows={windows} problem={problem} />
        <Suspense fallback={<Skeleton height={560} />}>
          <Graphs flag={saved} live={live} changes={changes} />
        </Suspense>
      </Paper>
      {saved.circuit !== null && (
        <div className={styles.beside}>
          <Paper withBorder p="md" component="section">
            <Now flag={saved} readOnly={readOnly} />
          </Paper>
          <Paper withBorder p="md" component="section">
            <Title order={2} mb="xs">
              Recovery
            </Title>
            {recovery === null ? (
              <Text>Once open, it stays open until a person lets users back.</Text>
            ) : (
              <RampPicture recovery={recovery} circuit={circuit} rollout={saved.rollout} />
            )}
          </Paper>
        </div>
      )}
      <Paper withBorder p="md">
        <CircuitSettings editing={editing} />
      </Paper>
      {draft.circuit !== null && (
        <Paper withBorder p="md">
          <PreviewPart editing={editing} />
        </Paper>
      )}
    </Stack>
  );
}
