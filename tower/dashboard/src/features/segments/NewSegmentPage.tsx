import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { ProblemError } from "@/api/problem";
import { useRights } from "@/api/session";
import { EmptyState, PageHead } from "@/components/views";
import { problemAt } from "@/features/flag/editing/problems";
import { paths } from "@/shell/paths";
import { GivenUp } from "@/shell/reason";
import { useSegmentChanges } from "./api";
import { EMPTY, type SegmentDraft } from "./draft";
import { SegmentForm } from "./SegmentForm";

/** The form of a new segment. */
export function NewSegmentPage() {
  const { app = "" } = useParams();
  const { mayEdit } = useRights();
  const navigate = useNavigate();
  const { create } = useSegmentChanges(app);
  const [key, setKey] = useState("");
  const [draft, setDraft] = useState<SegmentDraft>(EMPTY);
  const [problem, setProblem] = useState<ProblemError | null>(null);
  const [making, setMaking] = useState(false);
  if (!mayEdit(app)) {
    return (
      <EmptyState title="You can see the segments here but not make one">
        An editor or admin of {app} can make one.
      </EmptyState>
    );
  }
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setMaking(true);
    setProblem(null);
    try {
      const made = await create({ key: key.trim(), ...draft });
      navigate(paths.segment(app, made.key));
    } catch (error) {
      if (error instanceof GivenUp) return;
      if (!(error instanceof ProblemError)) throw error;
      setProblem(error);
    } finally {
      setMaking(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <PageHead title="New segment" tab={`New segment in ${app}`}>
        <Text c="var(--quiet)">Flags of {app} can use it in their rules once it is made.</Text>
      </PageHead>
      <Stack gap={16}>
        <TextInput
          label="Key"
          description="Rules name it by this, and it stays: letters, digits, “.”, “_” and “-”."
          placeholder="beta-testers"
          maw={360}
          withAsterisk={false}
          required
          maxLength={100}
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
          error={problemAt({ problem }, "key")}
        />
        <SegmentForm
          app={app}
          draft={draft}
          change={(fields) => setDraft((now) => ({ ...now, ...fields }))}
          readOnly={false}
          problem={problem}
        />
        {problem !== null && (
          <Text c="var(--mantine-color-error)" role="alert">
            Not made: {problem.message}
          </Text>
        )}
        <Group gap="xs">
          <Button type="submit" loading={making} disabled={key.trim() === ""}>
            Make the segment
          </Button>
          <Button component={Link} to={`/apps/${app}/segments`} variant="default">
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
