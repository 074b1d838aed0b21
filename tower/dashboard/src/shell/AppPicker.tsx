import { Badge, Box, Button, Menu, TextInput } from "@mantine/core";
import { IconChevronDown, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "react-router";
import { useRights } from "@/api/session";
import { appsQuery } from "@/features/apps/api";
import { paths } from "./paths";
import { inScope } from "./scope";

/** Which app the pages are about, with its environment. Another one keeps the subject: from flags to flags. */
export function AppPicker({ app, environment }: { app: string | null; environment: string | null }) {
  const { data: apps = [] } = useQuery(appsQuery);
  const { mayAdmin } = useRights();
  const { pathname } = useLocation();
  const [wanted, setWanted] = useState("");
  const segments = pathname.split("/").slice(app === null ? 1 : 3);
  const subject = ["flags", "segments", "log", "alerts", "sidecars", "keys"].find((each) => each === segments[0]) ?? "";
  const found = apps.filter(({ key, name }) => `${key} ${name}`.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <Menu width={280} position="bottom-start" onClose={() => setWanted("")}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="compact-md"
          rightSection={<IconChevronDown size={14} />}
          styles={{ label: { maxWidth: "30vw" } }}
        >
          {app ?? "All apps"}
          {environment !== null && (
            <Badge ml={8} size="sm" variant="outline" color="gray" tt="none">
              {environment}
            </Badge>
          )}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {apps.length > 8 && (
          <TextInput
            m={4}
            placeholder="Find an app"
            aria-label="Find an app"
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
          />
        )}
        <Box mah={360} style={{ overflowY: "auto" }}>
          <Menu.Item component={Link} to={inScope(null, subject)}>
            All apps
          </Menu.Item>
          {found.map(({ key, environment: its }) => (
            <Menu.Item key={key} component={Link} to={inScope(key, subject)} rightSection={its}>
              {key}
            </Menu.Item>
          ))}
        </Box>
        <Menu.Divider />
        <Menu.Item component={Link} to={paths.apps}>
          Manage apps
        </Menu.Item>
        {mayAdmin() && (
          <Menu.Item component={Link} to={paths.newApp} leftSection={<IconPlus size={14} />}>
            New app
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
