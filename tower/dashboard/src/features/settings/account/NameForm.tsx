import { Button, Card, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, dataOf, ifMatch } from "@/api/client";
import { sessionQuery } from "@/api/session";
import { accountQuery, type User, useDoing } from "../api";
import { Refused } from "../parts";
import { rolesInWords } from "../roles";

/** Who one is: the name can be changed, the e-mail address and the roles are said. */
export function NameForm({ user }: { user: User }) {
  const [name, setName] = useState(user.name);
  const queries = useQueryClient();
  const save = useDoing(async () => {
    const header = ifMatch(user.version);
    const changed = dataOf(await api.PATCH("/account", { params: { header }, body: { name: name.trim() } }));
    queries.setQueryData(accountQuery.queryKey, changed);
    await queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Card withBorder p="lg" bg="var(--surface)" component="section" aria-label="Who you are">
      <Title order={2} mb="sm">
        Who you are
      </Title>
      <form onSubmit={submit}>
        <Stack gap="sm" maw={420}>
          <div>
            <Text fw={500}>E-mail address</Text>
            <Text>{user.email}</Text>
          </div>
          <div>
            <Text fw={500}>You are</Text>
            <Text>{rolesInWords(user, 20)}</Text>
          </div>
          <TextInput
            label="Name"
            description="The log and other people's pages call you so."
            autoComplete="name"
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Refused error={save.error} />
          <Group>
            <Button
              type="submit"
              variant="default"
              loading={save.isPending}
              disabled={name.trim() === "" || name.trim() === user.name}
            >
              Save the name
            </Button>
            {save.isSuccess && name.trim() === user.name && <Text role="status">Saved</Text>}
          </Group>
        </Stack>
      </form>
    </Card>
  );
}
