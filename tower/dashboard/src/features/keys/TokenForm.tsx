import { Button, Card, Checkbox, Group, Radio, Select, Stack, TextInput } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { type FormEvent, useState } from "react";
import { useRights } from "@/api/session";
import type { Roles } from "@/features/settings/api";
import { Refused } from "@/features/settings/parts";
import { RolesFields } from "@/features/settings/RolesFields";
import { type NewToken, useTokenChanges } from "./api";

const LIVES = [
  { value: String(30 * 86_400), label: "In 30 days" },
  { value: String(90 * 86_400), label: "In 90 days" },
  { value: String(365 * 86_400), label: "In a year" },
  { value: "never", label: "Never" },
];

/** Make a token: whose rights it has, and how long it lives. */
export function TokenForm({ made }: { made: (token: NewToken) => void }) {
  const [opened, setOpened] = useState(false);
  if (!opened) {
    return (
      <Button w="fit-content" size="xs" leftSection={<IconPlus size={14} />} onClick={() => setOpened(true)}>
        New token
      </Button>
    );
  }
  return (
    <Card withBorder bg="var(--surface)" maw={640}>
      <Fields
        made={(token) => {
          made(token);
          setOpened(false);
        }}
        cancel={() => setOpened(false)}
      />
    </Card>
  );
}

function Fields({ made, cancel }: { made: (token: NewToken) => void; cancel: () => void }) {
  const { principal, mayAdmin } = useRights();
  const person = principal?.kind === "user";
  const [name, setName] = useState("");
  const [life, setLife] = useState(LIVES[1]?.value ?? "never");
  const [own, setOwn] = useState(true);
  const [roles, setRoles] = useState<Roles>({ role: null, apps: {} });
  const [shared, setShared] = useState(!person);
  const { create } = useTokenChanges();
  const nothing = !own && roles.role === null && Object.keys(roles.apps).length === 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate(
      {
        name: name.trim(),
        expires_in_s: life === "never" ? null : Number(life),
        shared,
        ...(own ? {} : roles),
      },
      { onSuccess: made },
    );
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label="Name"
          description="What uses it"
          placeholder="CI of the shop"
          maxLength={100}
          data-autofocus
          autoFocus
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Select
          label="It expires"
          data={LIVES}
          allowDeselect={false}
          maw={240}
          value={life}
          onChange={(value) => setLife(value ?? "never")}
        />
        <Radio.Group
          label="What it may do"
          value={own ? "own" : "chosen"}
          onChange={(choice) => setOwn(choice === "own")}
        >
          <Stack gap={8} mt={8}>
            <Radio value="own" label="All that you may do" />
            <Radio value="chosen" label="Less than you may do" />
          </Stack>
        </Radio.Group>
        {!own && <RolesFields roles={roles} onChange={setRoles} />}
        {mayAdmin() && person && (
          <Checkbox
            label="Shared"
            description="It belongs to nobody, so it works on when you leave. Every admin sees it and can revoke it."
            checked={shared}
            onChange={(event) => setShared(event.currentTarget.checked)}
          />
        )}
        <Refused error={create.error} />
        <Group gap="xs">
          <Button type="submit" disabled={name.trim() === "" || nothing} loading={create.isPending}>
            Make the token
          </Button>
          <Button variant="default" onClick={cancel}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
