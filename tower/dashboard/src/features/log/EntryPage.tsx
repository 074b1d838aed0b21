import { Anchor, Paper, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { ProblemError } from "@/api/problem";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { paths } from "@/shell/paths";
import { entryQuery } from "./api";
import { About } from "./EntryItem";
import { EntryPanel } from "./EntryPanel";

/** One entry, for a link to it. */
export function EntryPage() {
  const { entry = "" } = useParams();
  const query = useQuery(entryQuery(entry));
  if (query.error instanceof ProblemError && (query.error.status === 404 || query.error.status === 400)) {
    return (
      <EmptyState
        title="There is no such entry"
        action={
          <Anchor component={Link} to={paths.log(null)}>
            To the log
          </Anchor>
        }
      >
        It may have been removed for its age, or it is about something that you may not see.
      </EmptyState>
    );
  }
  return (
    <QueryView query={query}>
      {(found) => (
        <>
          <PageHead title={found.sentence} tab={`Entry ${found.id} of the log`}>
            <About entry={found} />
          </PageHead>
          <Paper withBorder p="md" maw={960}>
            <EntryPanel entry={found} single />
          </Paper>
          <Text mt="md">
            <Anchor component={Link} to={paths.log(found.subject.app)}>
              {found.subject.app === null ? "The whole log" : `The whole log of ${found.subject.app}`}
            </Anchor>
          </Text>
        </>
      )}
    </QueryView>
  );
}
