import { Alert, Anchor, Button, Code, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link, useParams } from "react-router";
import { useRights } from "@/api/session";
import { CopyText } from "@/components/Copy";
import { Ago } from "@/components/Moment";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { Consequence, Refused, Row, Rows } from "@/features/settings/parts";
import { paths } from "@/shell/paths";
import { keysQuery, type NewKey, useKeyChanges } from "./api";
import { UseIt } from "./UseIt";

/** The SDK keys of an app, and how they are used. */
export function KeysPage() {
  const { app = "" } = useParams();
  return <KeysOf key={app} app={app} />;
}

function KeysOf({ app }: { app: string }) {
  const mayAdmin = useRights().mayAdmin(app);
  const [made, setMade] = useState<NewKey | null>(null);
  return (
    <>
      <PageHead title="SDK keys" tab={`Keys of ${app}`}>
        <Text c="var(--quiet)">
          A sidecar shows a key to be let into NATS and Redis. It opens {app} alone: its flags, and its counts.
        </Text>
      </PageHead>
      <Stack gap="xl">
        <Stack gap="md" maw={960}>
          {mayAdmin ? (
            <NewKeyForm app={app} made={setMade} />
          ) : (
            <Text c="var(--quiet)">Only admins of {app} make and revoke keys.</Text>
          )}
          {made !== null && (
            <Alert color="accent" variant="light" title={`The key ${made.name}, shown this once`} role="status">
              <Stack gap="xs">
                <Text>It cannot be shown again: copy it now. The texts below have it in its place.</Text>
                <CopyText value={made.key} what="the SDK key" />
                <Button size="xs" variant="default" w="fit-content" onClick={() => setMade(null)}>
                  I have it
                </Button>
              </Stack>
            </Alert>
          )}
          <Keys app={app} mayAdmin={mayAdmin} />
        </Stack>
        <UseIt app={app} secret={made?.key ?? null} />
      </Stack>
    </>
  );
}

function NewKeyForm({ app, made }: { app: string; made: (key: NewKey) => void }) {
  const [name, setName] = useState("");
  const { create } = useKeyChanges(app);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate(name.trim(), {
      onSuccess: (key) => {
        made(key);
        setName("");
      },
    });
  };
  return (
    <form onSubmit={submit}>
      <Group align="flex-end" gap="xs">
        <TextInput
          label="New key"
          description="Where it will be used, so that it can be revoked by itself"
          placeholder="Servers in Frankfurt"
          maxLength={100}
          flex="1 1 240px"
          maw={400}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Button type="submit" disabled={name.trim() === ""} loading={create.isPending}>
          Make a key
        </Button>
      </Group>
      <Refused error={create.error} />
    </form>
  );
}

function Keys({ app, mayAdmin }: { app: string; mayAdmin: boolean }) {
  const query = useQuery(keysQuery(app));
  const { revoke } = useKeyChanges(app);
  return (
    <QueryView query={query}>
      {(keys) =>
        keys.length === 0 ? (
          <EmptyState title={`${app} has no SDK key`}>
            Without one, its sidecars are not let in where NATS asks for keys.
          </EmptyState>
        ) : (
          <section>
            <Title order={2} mb="sm">
              Keys that count
            </Title>
            <Rows>
              {keys.map((key) => (
                <Row
                  key={key.id}
                  actions={
                    mayAdmin && (
                      <Consequence
                        name="Revoke"
                        label={`Revoke ${key.name}`}
                        title={`Revoke ${key.name}`}
                        words={
                          <>
                            Sidecars that use it are disconnected within 5 s. They keep answering from the last state
                            that they have, get no changes, and their counts are no longer judged, until they have
                            another key. It cannot be brought back.
                          </>
                        }
                        act={() => revoke.mutateAsync(key.id)}
                      />
                    )
                  }
                >
                  <Text fw={600}>{key.name}</Text>
                  <Text size="sm" c="var(--quiet)">
                    <Code>
                      tsk.{app}.{key.id}.…
                    </Code>{" "}
                    made by {key.created_by} <Ago at={key.created_at} />
                  </Text>
                </Row>
              ))}
            </Rows>
            <Text size="sm" mt="xs" c="var(--quiet)">
              <Anchor component={Link} to={paths.sidecars(app)} inherit>
                Sidecars of {app}
              </Anchor>{" "}
              shows who is connected.
            </Text>
          </section>
        )
      }
    </QueryView>
  );
}
