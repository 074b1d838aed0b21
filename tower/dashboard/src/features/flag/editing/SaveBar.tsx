import { Button, Group, Text } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useEffect, useState } from "react";
import styles from "../flag.module.css";
import { SavedNote } from "../saved/SavedNote";
import { useUndo } from "../saved/useUndo";
import type { EditingState, Saved } from "./useEditing";

const SHOWN_MS = 12_000;

/** What would change, in words, with Save and Discard; afterwards that it is saved, where it has arrived, and Undo. */
export function SaveBar({ state }: { state: EditingState }) {
  const { editing, words, saving, discard, conflict, save } = state;
  const [saved, setSaved] = useState<Saved | null>(null);
  const takeBack = useUndo();
  const dirty = words.length > 0;
  useEffect(() => {
    if (dirty) setSaved(null);
  }, [dirty]);
  const saveNow = async () => {
    if (!dirty || saving || conflict !== null) return;
    const done = await save();
    if (done !== null) setSaved(done);
  };
  useHotkeys([["mod+S", () => void saveNow()]], []);
  if (!dirty && saved === null) return null;
  return (
    <section className={styles.bar} aria-label="Unsaved changes">
      {saved !== null && !dirty ? (
        <SavedNote
          saved={saved}
          undo={() => void takeBack(saved).then((undone) => undone !== null && setSaved(null))}
          whenComplete={() => setTimeout(() => setSaved((now) => (now === saved ? null : now)), SHOWN_MS)}
        />
      ) : (
        <div className={styles.barRow}>
          <Text className={styles.barWords}>{words.join("; ")}</Text>
          <Group gap="xs" wrap="nowrap">
            <Button variant="default" onClick={discard} disabled={saving}>
              Discard
            </Button>
            <Button onClick={() => void saveNow()} loading={saving}>
              Save
            </Button>
          </Group>
          {editing.problem !== null && (
            <Text c="var(--mantine-color-error)" flex="1 0 100%" role="alert">
              Not saved: {editing.problem.message}
            </Text>
          )}
        </div>
      )}
    </section>
  );
}
