import { useCallback, useMemo, useState } from "react";
import { ProblemError } from "@/api/problem";
import { type Flag, useFlagChanges } from "@/features/flags/api";
import { type Draft, differing, draftOf, patchOf, same } from "./draft";

/** What the parts of the flag's form get: the flag as it is, what it would be, and a way to change that. */
export interface Editing {
  /** The flag as it is now; it moves while it is edited. */
  saved: Flag;
  draft: Draft;
  /** Change fields of the draft; nothing is saved by it. */
  change: (fields: Partial<Draft>) => void;
  /** Whether the one who looks may only look. */
  readOnly: boolean;
  /** What the server refused, by its field: `rules.0.when.0.values`. */
  problem: ProblemError | null;
}

/** The draft of one flag: kept while others change the flag, saved against the version that it was begun at. */
export function useEditing(flag: Flag, readOnly: boolean) {
  const [base, setBase] = useState<Flag>(flag);
  const [edited, setEdited] = useState<Draft | null>(null);
  const [problem, setProblem] = useState<ProblemError | null>(null);
  /** The flag as somebody else has made it, when saving was refused for that. */
  const [conflict, setConflict] = useState<Flag | null>(null);
  const { change: send } = useFlagChanges(flag);

  // Nothing is edited: what others change is shown as it comes.
  if (edited === null && base !== flag) setBase(flag);
  const before = useMemo(() => draftOf(base), [base]);
  const draft = edited ?? before;

  const change = useCallback(
    (fields: Partial<Draft>) => {
      setEdited((now) => {
        const next = { ...(now ?? before), ...fields };
        return same(next, before) ? null : next;
      });
    },
    [before],
  );
  const discard = useCallback(() => {
    setEdited(null);
    setProblem(null);
    setConflict(null);
  }, []);

  /** Save the draft; gives the flag before and after, or null where it was refused. */
  const save = async (): Promise<{ before: Flag; after: Flag } | null> => {
    setProblem(null);
    try {
      const after = await send.mutateAsync({ body: patchOf(before, draft), version: base.version });
      setBase(after);
      setEdited(null);
      setConflict(null);
      return { before: base, after };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      if (error.stale) setConflict(error.members.current as Flag);
      else setProblem(error);
      return null;
    }
  };
  /** Go on from what somebody else has made of the flag, with `merged` as the draft. */
  const resolve = (merged: Draft) => {
    if (conflict === null) return;
    setBase(conflict);
    setEdited(same(merged, draftOf(conflict)) ? null : merged);
    setConflict(null);
  };

  const editing: Editing = { saved: flag, draft, change, readOnly, problem };
  const changed = edited === null ? [] : differing(before, draft);
  return { editing, before, changed, conflict, save, saving: send.isPending, discard, resolve };
}
