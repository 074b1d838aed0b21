import { Group, Loader, Stack, Text } from "@mantine/core";
import { Snippet } from "@/components/Copy";
import { ownEnvironment, type Servers, sidecarCommand } from "./commands";

/** Start a sidecar, and wait for it. */
export function SidecarStep({
  app,
  servers,
  sdkKey,
  waiting,
}: {
  app: string;
  servers: Servers;
  sdkKey: string | null;
  waiting: boolean;
}) {
  return (
    <Stack gap="sm">
      {servers === "up" ? (
        <>
          <Text>In the same terminal. It runs until Ctrl-C:</Text>
          <Snippet what="the command" code={sidecarCommand(app)} />
        </>
      ) : (
        <>
          <Text>Where your app runs, with Tailslide installed. Put in the addresses of your servers:</Text>
          <Snippet what="the commands" code={`${ownEnvironment(sdkKey)}\n${sidecarCommand(app)}`} />
        </>
      )}
      {waiting && (
        <Group gap="xs" role="status">
          <Loader size="xs" aria-hidden />
          <Text>Waiting for the first sidecar of {app}. This page says so when it comes.</Text>
        </Group>
      )}
    </Stack>
  );
}
