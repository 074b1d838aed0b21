import { Button, Group, List, Modal, Stack, Text } from "@mantine/core";
import { useEffect } from "react";
import { useBlocker } from "react-router";

interface Props {
  /** What would be lost, a part for each change. */
  words: readonly string[];
  /** How it can be saved from here; without it, only by going back. `save` gives null where it was refused. */
  saving?: { save: () => Promise<unknown>; saving: boolean; conflict: unknown };
  /** What is edited, for the words. */
  name: string;
  /** Whether a path is another one of the same form. */
  isWithin: (pathname: string) => boolean;
}

/** Holds those who leave with unsaved changes: says which, and lets them stay, save, or leave without. */
export function LeavingHeld({ words, saving, name, isWithin }: Props) {
  const dirty = words.length > 0;
  const blocker = useBlocker(({ nextLocation }) => dirty && !isWithin(nextLocation.pathname));
  useEffect(() => {
    if (!dirty) return;
    const hold = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", hold);
    return () => window.removeEventListener("beforeunload", hold);
  }, [dirty]);
  if (blocker.state !== "blocked") return null;
  return (
    <Modal opened size="lg" onClose={() => blocker.reset()} title={`Your changes of ${name} are not saved`}>
      <Stack>
        <List>
          {words.slice(0, 8).map((each) => (
            <List.Item key={each}>{each}</List.Item>
          ))}
          {words.length > 8 && <List.Item>and {words.length - 8} more</List.Item>}
        </List>
        {saving !== undefined && saving.conflict !== null && (
          <Text>Somebody else changed the same, so a choice is needed before they can be saved.</Text>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={() => blocker.proceed()}>
            Leave without them
          </Button>
          <Button variant="default" onClick={() => blocker.reset()} data-autofocus>
            Stay
          </Button>
          {saving !== undefined && (
            <Button
              loading={saving.saving}
              disabled={saving.conflict !== null}
              onClick={() => void saving.save().then((saved) => (saved === null ? blocker.reset() : blocker.proceed()))}
            >
              Save and leave
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
