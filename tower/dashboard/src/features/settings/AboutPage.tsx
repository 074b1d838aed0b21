import { Anchor, Card, List, Text, Title } from "@mantine/core";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, dataOf } from "@/api/client";
import { PageHead, QueryView } from "@/components/views";
import { statusQuery } from "@/features/overview/status";
import { useLiveState } from "@/live/LiveProvider";

const versionQuery = queryOptions({
  queryKey: ["version"],
  queryFn: async () => {
    const description: unknown = dataOf(await api.GET("/openapi.json"));
    return (description as { info: { version: string } }).info.version;
  },
});

/** Which Tailslide this is, and whether all its parts do their work. */
export function AboutPage() {
  const version = useQuery(versionQuery);
  const status = useQuery(statusQuery(null));
  const { phase } = useLiveState();
  return (
    <>
      <PageHead title="About" />
      <Card withBorder p="lg" mb="md" bg="var(--surface)">
        <QueryView query={version}>{(number) => <Text fw={600}>Tailslide {number}</Text>}</QueryView>
        <Text>
          <Anchor href="/api/docs">The API, with all its requests</Anchor>
        </Text>
      </Card>
      <Card withBorder p="lg" bg="var(--surface)" component="section" aria-label="Troubles">
        <Title order={2} mb="xs">
          What keeps Tailslide from its work
        </Title>
        <QueryView query={status}>
          {({ troubles }) =>
            troubles.length === 0 ? (
              <Text>
                Nothing: Tower reaches NATS, circuits are judged, and every sidecar is heard from
                {phase === "live" ? ", and this page is live" : ""}.
              </Text>
            ) : (
              <List spacing="xs">
                {troubles.map((trouble) => (
                  <List.Item key={trouble}>{trouble}</List.Item>
                ))}
              </List>
            )
          }
        </QueryView>
      </Card>
    </>
  );
}
