import { ActionIcon, Button, Group, Radio, Select, Stack, Text } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { appsQuery } from "@/features/apps/api";
import type { Roles } from "./api";
import { ROLES } from "./roles";

const NONE = "";

/** Which role somebody has over all apps, and which more in single ones. */
export function RolesFields({ roles, onChange }: { roles: Roles; onChange: (roles: Roles) => void }) {
  const { data: apps = [] } = useQuery(appsQuery);
  const [adding, setAdding] = useState(false);
  const single = Object.entries(roles.apps).toSorted(([one], [other]) => one.localeCompare(other));
  const free = apps.map(({ key }) => key).filter((key) => roles.apps[key] === undefined);
  const without = (app: string) => Object.fromEntries(single.filter(([key]) => key !== app));
  return (
    <Stack gap="sm">
      <Radio.Group
        label="Role over all apps"
        value={roles.role ?? NONE}
        onChange={(role) => onChange({ ...roles, role: role === NONE ? null : role })}
      >
        <Stack gap={8} mt={8}>
          <Radio value={NONE} label="None: only what single apps give" />
          {ROLES.map(({ value, label, may }) => (
            <Radio key={value} value={value} label={`${label}: ${may}`} />
          ))}
        </Stack>
      </Radio.Group>
      <Stack gap={8}>
        <Text fw={500}>More in single apps</Text>
        {single.map(([app, role]) => (
          <Group key={app} gap="xs" wrap="nowrap">
            <Text flex={1} style={{ overflowWrap: "anywhere" }}>
              {app}
            </Text>
            <Select
              aria-label={`Role in ${app}`}
              w={130}
              allowDeselect={false}
              data={[...ROLES]}
              value={role}
              onChange={(its) => its !== null && onChange({ ...roles, apps: { ...roles.apps, [app]: its } })}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={`Take the role in ${app} away`}
              onClick={() => onChange({ ...roles, apps: without(app) })}
            >
              <IconX size={16} />
            </ActionIcon>
          </Group>
        ))}
        {adding ? (
          <Select
            aria-label="App"
            placeholder="Which app?"
            searchable
            autoFocus
            defaultDropdownOpened
            data={free}
            onChange={(app) => {
              if (app !== null) onChange({ ...roles, apps: { ...roles.apps, [app]: "editor" } });
              setAdding(false);
            }}
            onBlur={() => setAdding(false)}
          />
        ) : (
          <Button
            variant="default"
            size="xs"
            w="fit-content"
            leftSection={<IconPlus size={14} />}
            disabled={free.length === 0}
            onClick={() => setAdding(true)}
          >
            A role in an app
          </Button>
        )}
        <Text size="sm" c="var(--quiet)">
          A role in an app adds to the role over all apps; it never takes away.
        </Text>
      </Stack>
    </Stack>
  );
}
