import { Paper, Skeleton, Stack } from "@mantine/core";
import { lazy, Suspense } from "react";
import { idOf } from "@/features/flags/api";
import { useLiveNeed } from "@/live/LiveProvider";
import type { Editing } from "../editing/useEditing";
import { useLiveBuckets } from "./graph/useGraph";

// The graphs' library comes only where graphs are looked at.
const Graphs = lazy(() => import("./graph/Graphs"));

/** The circuit of a flag: what its calls say, what it is now and why, how users come back, and its settings. */
export function CircuitTab({ editing: { saved } }: { editing: Editing }) {
  useLiveNeed({ refresh: [idOf(saved)] });
  const { live, changes } = useLiveBuckets(saved);
  return (
    <Stack gap="md">
      <Paper withBorder p="md">
        <Suspense fallback={<Skeleton height={560} />}>
          <Graphs flag={saved} live={live} changes={changes} />
        </Suspense>
      </Paper>
    </Stack>
  );
}
