import { Button, Card, Group, Select, Stack, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, dataOf, type Schemas } from "@/api/client";
import { appsQuery } from "@/features/apps/api";
import { useDoing } from "../api";
import { LinkOnce, Refused } from "../parts";

const SPANS = [
  { value: "3600", label: "an hour" },
  { value: "28800", label: "8 hours" },
  { value: "86400", label: "a day" },
  { value: "604800", label: "a week" },
];
const ALL = "";

/** Make a link for somebody to look: it is shown once. */
export function LinkForm() {
  const { data: apps = [] } = useQuery(appsQuery);
  const [name, setName] = useState("");
  const [app, setApp] = useState(ALL);
  const [life, setLife] = useState("86400");
  const [session, setSession] = useState("28800");
  const [made, setMade] = useState<Schemas["NewLinkOut"] | null>(null);
  const make = useDoing(async () => {
    const body = {
      name: name.trim(),
      app: app === ALL ? null : app,
      expires_in_s: Number(life),
      session_s: Number(session),
    };
    setMade(dataOf(await api.POST("/links", { body })));
    setName("");
  }, "links");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setMade(null);
    make.mutate();
  };
  return (
    <Card withBorder p="lg" mb="xl" bg="var(--surface)" component="section" aria-label="Make a link">
      <Title order={2} mb="sm">
        Make a link
      </Title>
      <form onSubmit={submit}>
        <Stack maw={520}>
          <TextInput
            label="For whom, or for what"
            description="The log calls the guest so."
            required
            withAsterisk={false}
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Select
            label="What is seen"
            searchable
            allowDeselect={false}
            data={[{ value: ALL, label: "All apps" }, ...apps.map(({ key }) => ({ value: key, label: key }))]}
            value={app}
            onChange={(value) => setApp(value ?? ALL)}
          />
          <Group grow>
            <Select
              label="The link works for"
              allowDeselect={false}
              data={SPANS}
              value={life}
              onChange={(value) => value !== null && setLife(value)}
            />
            <Select
              label="The visit lasts up to"
              allowDeselect={false}
              data={SPANS}
              value={session}
              onChange={(value) => value !== null && setSession(value)}
            />
          </Group>
          <Refused error={make.error} />
          <Group>
            <Button type="submit" loading={make.isPending} disabled={name.trim() === ""}>
              Make the link
            </Button>
          </Group>
        </Stack>
      </form>
      {made !== null && (
        <Stack mt="md">
          <LinkOnce url={made.url} expiresAt={made.expires_at}>
            It lets one person look at {made.app ?? "all apps"}. A preview in a chat does not use it up.
          </LinkOnce>
        </Stack>
      )}
    </Card>
  );
}
