import { Alert, Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { CopyText, Snippet } from "@/components/Copy";
import { useMakeKey } from "./api";
import { envCommand, type Servers } from "./commands";

/** Get an SDK key: by a command where `tailslide up` runs, by a button with servers of one's own. */
export function KeyStep({
  app,
  servers,
  setServers,
  sdkKey,
  setSdkKey,
}: {
  app: string;
  servers: Servers;
  setServers: (servers: Servers) => void;
  sdkKey: string | null;
  setSdkKey: (key: string) => void;
}) {
  const { mayAdmin } = useRights();
  const make = useMakeKey(app);
  return (
    <Stack gap="sm">
      <SegmentedControl
        w="fit-content"
        aria-label="Which servers"
        value={servers}
        onChange={(value) => setServers(value as Servers)}
        data={[
          { value: "up", label: "tailslide up" },
          { value: "own", label: "Own servers" },
        ]}
      />
      {servers === "up" ? (
        <>
          <Text>
            On the machine where <code>tailslide up</code> runs, open another terminal. This makes a key, and tells the
            terminal the key and where the servers are:
          </Text>
          <Snippet what="the command" code={envCommand(app)} />
          <Text size="sm" c="var(--quiet)">
            If you started it with <code>--data-dir</code>, give <code>tailslide env</code> the same.
          </Text>
        </>
      ) : sdkKey !== null ? (
        <>
          <Text>The key, shown this once. It stands in the commands below as well.</Text>
          <CopyText value={sdkKey} what="the SDK key" />
        </>
      ) : (
        <>
          <Text>A sidecar shows its key to NATS and Redis. One key may be used by many sidecars of this app.</Text>
          {make.isError && (
            <Alert color="gray" variant="outline" role="alert">
              {sentenceOf(make.error)}
            </Alert>
          )}
          <Group>
            <Button
              variant="default"
              loading={make.isPending}
              disabled={!mayAdmin(app)}
              onClick={() => make.mutate(undefined, { onSuccess: setSdkKey })}
            >
              Make an SDK key
            </Button>
            {!mayAdmin(app) && <Text c="var(--quiet)">Only admins make keys. Ask one.</Text>}
          </Group>
        </>
      )}
    </Stack>
  );
}
