import { Badge, Button, Group, Text, TextInput } from "@mantine/core";
import { IconUserPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { useRights } from "@/api/session";
import { Ago } from "@/components/Moment";
import { counted } from "@/components/numbers";
import { PageHead, QueryView } from "@/components/views";
import { type User, usersQuery } from "../api";
import { ForAdmins, Row, Rows } from "../parts";
import { rolesInWords } from "../roles";
import { UserEditor } from "./UserEditor";

export function UsersPage() {
  return (
    <>
      <PageHead
        title="Users"
        actions={
          <Button component={Link} to="/settings/invitations" leftSection={<IconUserPlus size={16} />}>
            Invite somebody
          </Button>
        }
      />
      <ForAdmins>
        <Users />
      </ForAdmins>
    </>
  );
}

/** Everybody with an account: what they may do, and when they were last here. */
function Users() {
  const users = useQuery(usersQuery);
  const { principal } = useRights();
  const [wanted, setWanted] = useState("");
  const [edited, setEdited] = useState<string | null>(null);
  return (
    <QueryView query={users}>
      {(all) => {
        const found = all.filter(({ email, name }) => `${email} ${name}`.toLowerCase().includes(wanted.toLowerCase()));
        const user = all.find(({ id }) => id === edited);
        return (
          <>
            {all.length > 8 && (
              <TextInput
                mb="sm"
                maw={320}
                aria-label="Find a user"
                placeholder={`Find one of ${counted(all.length, "user")}`}
                value={wanted}
                onChange={(event) => setWanted(event.currentTarget.value)}
              />
            )}
            <Rows>
              {found.map((each) => (
                <Row
                  key={each.id}
                  actions={
                    <Button
                      size="xs"
                      variant="default"
                      aria-label={`Change ${each.email}`}
                      onClick={() => setEdited(each.id)}
                    >
                      Change
                    </Button>
                  }
                >
                  <UserLine user={each} own={each.id === principal?.id} />
                </Row>
              ))}
            </Rows>
            {user !== undefined && <UserEditor key={user.id} user={user} close={() => setEdited(null)} />}
          </>
        );
      }}
    </QueryView>
  );
}

function UserLine({ user, own }: { user: User; own: boolean }) {
  return (
    <>
      <Group gap="xs">
        <Text fw={600}>{user.name}</Text>
        {own && (
          <Badge variant="outline" color="gray" tt="none">
            You
          </Badge>
        )}
        {user.disabled && (
          <Badge variant="filled" color="gray" tt="none">
            Disabled
          </Badge>
        )}
      </Group>
      {user.name !== user.email && <Text>{user.email}</Text>}
      <Text size="sm" c="var(--quiet)">
        {rolesInWords(user)} ·{" "}
        {user.last_login_at === null ? (
          "has never logged in"
        ) : (
          <>
            last logged in <Ago at={user.last_login_at} />
          </>
        )}
      </Text>
    </>
  );
}
