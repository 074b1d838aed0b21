import { ActionIcon, Menu, Text, useMantineColorScheme } from "@mantine/core";
import { IconDeviceDesktop, IconLogout, IconMoon, IconSun, IconUser } from "@tabler/icons-react";
import { Link } from "react-router";
import { api } from "@/api/client";
import { useRights } from "@/api/session";
import { paths } from "./paths";

const SCHEMES = [
  { scheme: "light", name: "Light", icon: IconSun },
  { scheme: "dark", name: "Dark", icon: IconMoon },
  { scheme: "auto", name: "As the system", icon: IconDeviceDesktop },
] as const;

/** Who is logged in, the own account, light or dark, and the way out. */
export function PersonMenu() {
  const { principal } = useRights();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const logOut = async () => {
    await api.DELETE("/session");
    // The page is loaded again, so that nothing that was shown stays in memory.
    window.location.assign("/login");
  };
  return (
    <Menu width={240} position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="You, and how it looks">
          <IconUser size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" truncate>
            {principal?.name}
          </Text>
          {principal?.role ?? "role in single apps"}
        </Menu.Label>
        {principal?.kind === "user" && (
          <Menu.Item component={Link} to={paths.account} leftSection={<IconUser size={14} />}>
            Your account
          </Menu.Item>
        )}
        <Menu.Divider />
        {SCHEMES.map(({ scheme, name, icon: Icon }) => (
          <Menu.Item
            key={scheme}
            role="menuitemradio"
            aria-checked={colorScheme === scheme}
            fw={colorScheme === scheme ? 600 : undefined}
            leftSection={<Icon size={14} />}
            onClick={() => setColorScheme(scheme)}
          >
            {name}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={14} />} onClick={() => void logOut()}>
          Log out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
