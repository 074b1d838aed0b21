import { Alert, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconArrowBackUp } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ProblemError, sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { QueryView } from "@/components/views";
import { type Flag, flagQuery } from "@/features/flags/api";
import { GivenUp } from "@/shell/reason";
import { type Entry, entryQuery } from "./api";
import { rollbackChanges } from "./changes";
import { Difference } from "./Difference";
import { linesOf } from "./lines";
import styles from "./log.module.css";
import { useRollback } from "./useRollback";

/** Make the flag as it was after this entry: shows first what that would change. */
export function RollBack({ entry, app, flag }: { entry: Entry; app: string; flag: string }) {
  const [opened, setOpened] = useState(false);
  const mayEdit = useRights().mayEdit(app);
  const now = useQuery({ ...flagQuery(app, flag), enabled: mayEdit });
  const { version } = entry;
  if (!mayEdit || version === null || now.data === undefined) return null;
  if (now.data.version === version) {
    return (
      <Text size="sm" c="var(--quiet)">
        This is how the flag is now.
      </Text>
    );
  }
  if (now.data.archived_at !== null) {
    return (
      <Text size="sm" c="var(--quiet)">
        The flag is archived. Restore it to roll it back.
      </Text>
    );
  }
  return (
    <>
      <Button size="xs" variant="default" leftSection={<IconArrowBackUp size={14} />} onClick={() => setOpened(true)}>
        Roll back to this version
      </Button>
      <Modal
        opened={opened}
        onClose={() => setOpened(false)}
        size="lg"
        title={`Roll ${flag} back to version ${version}`}
      >
        <Preview entry={entry} version={version} now={now.data} close={() => setOpened(false)} />
      </Modal>
    </>
  );
}

function Preview({ entry, version, now, close }: { entry: Entry; version: number; now: Flag; close: () => void }) {
  const whole = useQuery(entryQuery(String(entry.id)));
  const { app, key: flag } = now;
  const roll = useRollback(app, flag);
  const rollBack = async () => {
    try {
      const rolled = await roll.mutateAsync({ version, from: now.version });
      close();
      offerUndo(rolled);
    } catch (error) {
      // It is shown below, but for the question for a reason that the person has closed.
      if (!(error instanceof ProblemError || error instanceof GivenUp)) throw error;
    }
  };
  const offerUndo = (rolled: Flag) => {
    const undo = async () => {
      notifications.hide(shown);
      try {
        await roll.mutateAsync({ version: now.version, from: rolled.version });
        notifications.show({ message: `${flag} is as it was before.` });
      } catch (error) {
        if (error instanceof GivenUp) return;
        const meanwhile = error instanceof ProblemError && error.stale;
        notifications.show({
          message: meanwhile ? `Somebody has changed ${flag} since then, so it was left as it is.` : sentenceOf(error),
        });
      }
    };
    const shown = notifications.show({
      autoClose: 15_000,
      message: (
        <Group justify="space-between" wrap="nowrap">
          <span>
            {flag} is as it was in version {version}.
          </span>
          <Button size="compact-sm" variant="default" flex="none" onClick={() => void undo()}>
            Undo
          </Button>
        </Group>
      ),
    });
  };
  return (
    <QueryView query={whole}>
      {({ after }) => {
        const changes = rollbackChanges(now, after ?? {});
        const problem = roll.error instanceof ProblemError ? roll.error : null;
        return (
          <Stack gap="md">
            {problem?.stale === true && (
              <Alert color="gray" variant="outline" role="alert">
                Somebody has changed the flag meanwhile. Below is what rolling back would change now.
              </Alert>
            )}
            {problem !== null && !problem.stale && (
              <Alert color="gray" variant="outline" role="alert" title="It was not rolled back">
                {problem.message}
              </Alert>
            )}
            {changes.length === 0 ? (
              <Text>Nothing would change: the flag is the same now.</Text>
            ) : (
              <>
                <Text>{effectOf(now, after ?? {})}</Text>
                <Difference lines={linesOf(changes, "flag")} now />
              </>
            )}
            <Group justify="flex-end" gap="xs" className={styles.foot}>
              <Button variant="default" onClick={close}>
                Leave it as it is
              </Button>
              <Button disabled={changes.length === 0} loading={roll.isPending} onClick={() => void rollBack()}>
                Roll back
              </Button>
            </Group>
          </Stack>
        );
      }}
    </QueryView>
  );
}

/** What rolling back means for users, where it does more than what the difference says. */
function effectOf(now: Flag, then: Readonly<Record<string, unknown>>): string {
  if (now.active && then.active === false) return "The flag is turned off: nobody gets it then.";
  if (!now.active && then.active === true) return "The flag is turned on, and its circuit starts closed.";
  return "The whole flag becomes as it was. The state of its circuit stays.";
}
