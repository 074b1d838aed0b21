import { Button, Divider, Drawer, Group, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { api, dataOf, ifMatch, type Schemas } from "@/api/client";
import { useRights } from "@/api/session";
import { type Roles, type User, useDoing } from "../api";
import { Consequence, LinkOnce, Refused } from "../parts";
import { RolesFields } from "../RolesFields";
import { rolesInWords } from "../roles";

/** What an admin can do with a user. Tower keeps the last admin, and says so. */
export function UserEditor({ user, close }: { user: User; close: () => void }) {
  const own = useRights().principal?.id === user.id;
  const [roles, setRoles] = useState<Roles>({ role: user.role, apps: user.apps });
  const [link, setLink] = useState<Schemas["NewInvitationOut"] | null>(null);
  const path = { user: user.id };
  const change = useDoing(
    async (body: Schemas["UserChange"]) =>
      dataOf(await api.PATCH("/users/{user}", { params: { path, header: ifMatch(user.version) }, body })),
    "users",
  );
  const reset = useDoing(async () => {
    setLink(dataOf(await api.POST("/users/{user}/reset-link", { params: { path }, body: {} })));
  }, "invitations");
  const differs = JSON.stringify(roles) !== JSON.stringify({ role: user.role, apps: user.apps });
  const save = async () => {
    const before: Roles = { role: user.role, apps: user.apps };
    const saved = await change.mutateAsync(roles).catch(() => null);
    if (saved === null) return; // said below
    close();
    const id = notifications.show({
      message: (
        <Group justify="space-between">
          <span>
            {user.email} is now: {rolesInWords(roles)}.
          </span>
          <Button
            size="xs"
            variant="default"
            onClick={() => {
              notifications.hide(id);
              void api
                .PATCH("/users/{user}", { params: { path, header: ifMatch(saved.version) }, body: before })
                .catch((error: Error) => notifications.show({ message: error.message }));
            }}
          >
            Undo
          </Button>
        </Group>
      ),
      autoClose: 10_000,
    });
  };
  return (
    <Drawer
      opened
      onClose={close}
      position="right"
      size="md"
      title={user.name === user.email ? user.email : `${user.name}, ${user.email}`}
    >
      <Stack>
        <RolesFields roles={roles} onChange={setRoles} />
        <Text size="sm" c="var(--quiet)">
          A changed role counts from the next request on.
        </Text>
        <Refused error={change.error ?? reset.error} />
        <Group>
          <Button onClick={() => void save()} loading={change.isPending} disabled={!differs}>
            Save the roles
          </Button>
        </Group>
        <Divider />
        {link !== null && (
          <LinkOnce url={link.url} expiresAt={link.expires_at}>
            Pass it on to {user.email} yourself: Tower sends no mail. It asks for a new password, and ends all sessions.
          </LinkOnce>
        )}
        <Group gap="xs">
          <Button size="xs" variant="default" onClick={() => reset.mutate()} loading={reset.isPending}>
            Make a link for a new password
          </Button>
          <Consequence
            name="End all sessions"
            title={`End all sessions of ${user.email}`}
            words="Every browser of this user has to log in again. API tokens go on."
            act={() => api.DELETE("/users/{user}/sessions", { params: { path } })}
          />
          {user.disabled ? (
            <Button size="xs" variant="default" onClick={() => change.mutate({ disabled: false })}>
              Enable again
            </Button>
          ) : (
            <Consequence
              name="Disable"
              title={`Disable ${user.email}`}
              words={
                own
                  ? "This is you: your sessions and your API tokens end at once, and another admin has to enable you."
                  : "Sessions and own API tokens end at once. The account stays, and can be enabled again."
              }
              act={() => change.mutateAsync({ disabled: true })}
            />
          )}
          <Consequence
            name="Delete"
            title={`Delete ${user.email}`}
            words={`The account ends for good, with its sessions, its own API tokens, and the invitations and links that ${
              own ? "you have" : "it has"
            } made. The log keeps what was done. To keep somebody out for a while, disable instead.`}
            act={() => api.DELETE("/users/{user}", { params: { path, header: ifMatch(user.version) } }).then(close)}
          />
        </Group>
      </Stack>
    </Drawer>
  );
}
