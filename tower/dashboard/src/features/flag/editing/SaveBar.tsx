import { Button, Group, Text } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useEffect, useState } from "react";
import styles from "../flag.module.css";
import { SavedNote } from "../saved/SavedNote";
import { useUndo } from "../saved/useUndo";
import type { Draft } from "./draft";
import { NewsLine } from "./NewsLine";
import type { EditingState, Saved } from "./useEditing";
import { useShownProblem } from "./useShownProblem";

const SHOWN_MS = 12_000;

type Afterwards = { saved: Saved; done: string; mayUndo: boolean } | { discarded: Partial<Draft> };

/** What would change, in words, with Save and Discard; afterwards that it is saved, where it has arrived, and Undo. */
export function SaveBar({ state }: { state: EditingState }) {
  const { editing, changed, words, saving, discard, conflict, save } = state;
  const [afterwards, setAfterwards] = useState<Afterwards | null>(null);
  const takeBack = useUndo();
  useShownProblem(editing.problem, editing.saved);
  const dirty = changed.length > 0;
  useEffect(() => {
    if (dirty) setAfterwards(null);
  }, [dirty]);
  const forgetSoon = (what: Afterwards) =>
    setTimeout(() => setAfterwards((now) => (now === what ? null : now)), SHOWN_MS);

  const saveNow = async () => {
    if (!dirty || saving || conflict !== null) return;
    const saved = await save();
    if (saved !== null) setAfterwards({ saved, done: "Saved", mayUndo: true });
  };
  const undo = async (saved: Saved) => {
    const undone = await takeBack(saved);
    if (undone !== null) setAfterwards({ saved: undone, done: "Undone", mayUndo: false });
  };
  const throwAway = () => {
    const discarded = Object.fromEntries(changed.map((field) => [field, editing.draft[field]])) as Partial<Draft>;
    discard();
    const what = { discarded };
    setAfterwards(what);
    forgetSoon(what);
  };
  useHotkeys([["mod+S", () => void saveNow()]], []);

  if (dirty) {
    return (
      <section data-save-bar className={styles.bar} aria-label="Unsaved changes">
        <NewsLine state={state} />
        <div className={styles.barRow}>
          <Text className={styles.barWords} aria-live="polite">
            {sentence(words)}
          </Text>
          <Group gap="xs" wrap="nowrap" className={styles.barActions}>
            <Button variant="default" onClick={throwAway} disabled={saving}>
              Discard
            </Button>
            <Button onClick={() => void saveNow()} loading={saving} disabled={conflict !== null} title="Ctrl S">
              Save
            </Button>
          </Group>
        </div>
        {editing.problem !== null && (
          <Text c="var(--mantine-color-error)" role="alert" mt={4}>
            Not saved: {editing.problem.message}
          </Text>
        )}
      </section>
    );
  }
  if (afterwards === null) return null;
  return (
    <section data-save-bar className={styles.bar} aria-label="Saved changes">
      {"saved" in afterwards ? (
        <SavedNote
          key={afterwards.saved.after.version}
          saved={afterwards.saved}
          done={afterwards.done}
          undo={afterwards.mayUndo ? () => void undo(afterwards.saved) : undefined}
          whenComplete={() => forgetSoon(afterwards)}
        />
      ) : (
        <Group gap="xs" role="status">
          <Text>Discarded. Nothing was changed.</Text>
          <Button size="compact-sm" variant="light" onClick={() => editing.change(afterwards.discarded)}>
            Bring it back
          </Button>
        </Group>
      )}
    </section>
  );
}

/** The changes as one sentence without its end: `Rollout 25% → 50%; 2 users added to the allow list`. */
function sentence(words: readonly string[]): string {
  const all = words.join("; ");
  return all.charAt(0).toUpperCase() + all.slice(1);
}
