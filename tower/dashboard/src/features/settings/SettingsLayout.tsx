import { Box } from "@mantine/core";
import { Outlet } from "react-router";
import { SettingsTabs } from "./SettingsTabs";

/** The settings' tabs, and the page of one. */
export function SettingsLayout() {
  return (
    <Box maw={960}>
      <SettingsTabs />
      <Outlet />
    </Box>
  );
}
