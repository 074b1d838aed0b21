import { Button, Card, Group, Select, Stack, TextInput, Title } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { api, dataOf, type Schemas } from "@/api/client";
import { type Roles, useDoing } from "../api";
import { LinkOnce, Refused } from "../parts";
import { RolesFields } from "../RolesFields";

const LIVES = [
  { value: "86400", label: "a day" },
  { value: "604800", label: "a week" },
  { value: "2592000", label: "30 days" },
];

/** Invite somebody: the link is shown once. */
export function InviteForm() {
  const [email, setEmail] = useState("");
  const [roles, setRoles] = useState<Roles>({ role: "viewer", apps: {} });
  const [life, setLife] = useState("604800");
  const [made, setMade] = useState<Schemas["NewInvitationOut"] | null>(null);
  const invite = useDoing(async () => {
    const body = { email: email.trim(), role: roles.role, apps: roles.apps, expires_in_s: Number(life) };
    setMade(dataOf(await api.POST("/invitations", { body })));
    setEmail("");
  }, "invitations");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setMade(null);
    invite.mutate();
  };
  const nothing = roles.role === null && Object.keys(roles.apps).length === 0;
  return (
    <Card withBorder p="lg" mb="xl" bg="var(--surface)" component="section" aria-label="Invite somebody">
      <Title order={2} mb="sm">
        Invite somebody
      </Title>
      <form onSubmit={submit}>
        <Stack maw={520}>
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="off"
            required
            withAsterisk={false}
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          <RolesFields roles={roles} onChange={setRoles} />
          <Select
            label="The link works for"
            w={160}
            allowDeselect={false}
            data={LIVES}
            value={life}
            onChange={(value) => value !== null && setLife(value)}
          />
          <Refused error={invite.error} />
          <Group>
            <Button type="submit" loading={invite.isPending} disabled={nothing}>
              Make the link
            </Button>
          </Group>
        </Stack>
      </form>
      {made !== null && (
        <Stack mt="md">
          <LinkOnce url={made.url} expiresAt={made.expires_at}>
            Pass it on to {made.email}. It asks for a name and a password.
          </LinkOnce>
        </Stack>
      )}
    </Card>
  );
}
