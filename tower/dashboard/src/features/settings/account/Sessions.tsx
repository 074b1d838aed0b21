import { Badge, Button, Group, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { Ago, Moment } from "@/components/Moment";
import { QueryView } from "@/components/views";
import { sessionsQuery, useDoing } from "../api";
import { Refused, Row, Rows } from "../parts";
import { browserOf } from "../roles";

const METHODS: Readonly<Record<string, string>> = {
  password: "with a password",
  oidc: "at the provider",
  invitation: "by an invitation",
  setup_link: "by a set-up link",
};

const SHOWN_AT_FIRST = 10;

/** Where one is logged in, and a way to end that. */
export function Sessions() {
  const [whole, setWhole] = useState(false);
  const sessions = useQuery(sessionsQuery);
  const end = useDoing(
    async (session: string) => api.DELETE("/account/sessions/{session}", { params: { path: { session } } }),
    "sessions",
  );
  const endOthers = useDoing(
    async () => api.DELETE("/account/sessions", { params: { query: { keep_this: true } } }),
    "sessions",
  );
  return (
    <section aria-label="Sessions">
      <QueryView query={sessions}>
        {(all) => (
          <>
            <Group justify="space-between" mb="sm">
              <Title order={2}>Sessions</Title>
              {all.length > 1 && (
                <Button size="xs" variant="default" loading={endOthers.isPending} onClick={() => endOthers.mutate()}>
                  End all others
                </Button>
              )}
            </Group>
            <Refused error={end.error ?? endOthers.error} />
            <Rows>
              {all
                .toSorted((one, other) => Number(other.current) - Number(one.current))
                .slice(0, whole ? all.length : SHOWN_AT_FIRST)
                .map((session) => (
                  <Row
                    key={session.id}
                    actions={
                      session.current ? undefined : (
                        <Button
                          size="xs"
                          variant="default"
                          aria-label={`End it: the session of ${browserOf(session.user_agent)} at ${session.address}`}
                          onClick={() => end.mutate(session.id)}
                        >
                          End it
                        </Button>
                      )
                    }
                  >
                    <Group gap="xs">
                      <Text fw={600}>{browserOf(session.user_agent)}</Text>
                      {session.current && (
                        <Badge variant="outline" color="gray" tt="none">
                          This one
                        </Badge>
                      )}
                    </Group>
                    <Text size="sm" c="var(--quiet)">
                      From {session.address}; logged in {METHODS[session.method] ?? session.method}{" "}
                      <Ago at={session.created_at} />, last used <Ago at={session.last_used_at} />. Ends by{" "}
                      <Moment at={session.ends_at} /> unless it is used.
                    </Text>
                  </Row>
                ))}
            </Rows>
            {!whole && all.length > SHOWN_AT_FIRST && (
              <Button mt="sm" variant="default" onClick={() => setWhole(true)}>
                Show all {all.length}
              </Button>
            )}
          </>
        )}
      </QueryView>
    </section>
  );
}
