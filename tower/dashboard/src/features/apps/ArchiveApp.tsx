import { Alert, Button, Group, Modal, Text } from "@mantine/core";
import { ProblemError } from "@/api/problem";
import { counted } from "@/components/numbers";
import { useFlags } from "@/features/flags/list";
import { GivenUp } from "@/shell/reason";
import { type App, useAppChanges } from "./api";

/** Archive an app: says what will happen, and why Tower refuses, with the way to do it all the same. */
export function ArchiveApp({ app, close }: { app: App; close: () => void }) {
  const { flags } = useFlags(app.key, false);
  const { archive } = useAppChanges(app);
  const refused = archive.error instanceof ProblemError ? archive.error : null;
  const send = (force: boolean) =>
    archive.mutate(force, {
      onSuccess: close,
      onError: (error) => error instanceof GivenUp && archive.reset(),
    });
  const its = flags.length === 0 ? "no flags: it has none" : `its ${counted(flags.length, "flag")}`;
  return (
    <Modal opened onClose={close} title={`Archive ${app.key}`}>
      <Text>
        Sidecars of {app.key} no longer get {its}; callers fall back to their own default. The app keeps its key, its
        flags and its log, and can be restored.
      </Text>
      {refused !== null && (
        <Alert color="gray" variant="outline" mt="md" role="alert">
          {refused.message}
        </Alert>
      )}
      <Group justify="flex-end" mt="md" gap="xs">
        <Button variant="default" onClick={close}>
          Keep it
        </Button>
        {refused?.code === "APP_IN_USE_RECENTLY" ? (
          <Button loading={archive.isPending} onClick={() => send(true)}>
            Archive it all the same
          </Button>
        ) : (
          <Button loading={archive.isPending} onClick={() => send(false)}>
            Archive {app.key}
          </Button>
        )}
      </Group>
    </Modal>
  );
}
