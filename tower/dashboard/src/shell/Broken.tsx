import { Button, Container } from "@mantine/core";
import { useRouteError } from "react-router";
import { sentenceOf } from "@/api/problem";
import { EmptyState } from "@/components/views";

/** A page that failed to show. A new version of Tower takes the files of the old one away: then loading it again helps. */
export function Broken() {
  const error = useRouteError();
  return (
    <Container>
      <EmptyState
        title="This page cannot be shown"
        action={<Button onClick={() => window.location.reload()}>Load the page again</Button>}
      >
        {sentenceOf(error)}
      </EmptyState>
    </Container>
  );
}
