import { Button, Card, Group, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import { Moment } from "@/components/Moment";
import { type User, useDoing } from "../api";
import { Refused } from "../parts";
import { passwordProblem } from "../roles";

/** A new password; it ends all other sessions. */
export function PasswordForm({ user }: { user: User }) {
  const [current, setCurrent] = useState("");
  const [wanted, setWanted] = useState("");
  const [changedAt, setChangedAt] = useState<number | null>(null);
  const problem = passwordProblem(wanted, user.email);
  const save = useDoing(
    async () => {
      await api.PUT("/account/password", {
        body: { current_password: user.has_password ? current : null, new_password: wanted },
      });
      setCurrent("");
      setWanted("");
      setChangedAt(Date.now());
    },
    "account",
    "sessions",
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (problem === null) save.mutate();
  };
  return (
    <Card withBorder p="lg" bg="var(--surface)" component="section" aria-label="Password">
      <Title order={2} mb={4}>
        Password
      </Title>
      <Text c="var(--quiet)" mb="sm">
        {user.has_password
          ? "A new password ends all your sessions but this one."
          : "You log in at your provider. With a password as well you can log in while the provider is down."}
      </Text>
      <form onSubmit={submit}>
        <Stack gap="sm" maw={420}>
          {/* For password managers, which else do not know whose password this is. */}
          <input type="email" name="email" autoComplete="username" value={user.email} readOnly hidden />
          {user.has_password && (
            <PasswordInput
              label="Password until now"
              autoComplete="current-password"
              value={current}
              onChange={(event) => setCurrent(event.currentTarget.value)}
            />
          )}
          <PasswordInput
            label="New password"
            description="12 to 256 characters of any kind; not your e-mail address."
            autoComplete="new-password"
            error={wanted === "" ? null : problem}
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
          />
          <Refused error={save.error} />
          <Group>
            <Button
              type="submit"
              variant="default"
              loading={save.isPending}
              disabled={problem !== null || (user.has_password && current === "")}
            >
              {user.has_password ? "Change the password" : "Set a password"}
            </Button>
            {changedAt !== null && !save.isPending && (
              <Text role="status">
                Saved at <Moment at={changedAt} />
              </Text>
            )}
          </Group>
        </Stack>
      </form>
    </Card>
  );
}
