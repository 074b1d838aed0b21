import { useState } from "react";
import { ProblemError } from "@/api/problem";
import { same } from "@/features/flag/editing/draft";
import { GivenUp } from "@/shell/reason";
import { type Segment, useSegmentChanges } from "./api";
import { changesInWords, draftOf, merged, type SegmentDraft, type SegmentField } from "./draft";

/** The draft of one segment: kept while others change it, saved against the version that it was begun at. */
export function useSegmentEditing(segment: Segment) {
  const [base, setBase] = useState(segment);
  const [edited, setEdited] = useState<SegmentDraft | null>(null);
  const [problem, setProblem] = useState<ProblemError | null>(null);
  /** The segment as somebody else has made it, when saving was refused for that. */
  const [conflict, setConflict] = useState<Segment | null>(null);
  const [saving, setSaving] = useState(false);
  const changes = useSegmentChanges(segment.app);
  // Nothing is edited: what others change is shown as it comes.
  if (edited === null && base !== segment) setBase(segment);
  const draft = edited ?? draftOf(base);

  const change = (fields: Partial<SegmentDraft>) =>
    setEdited((now) => {
      const next = { ...(now ?? draftOf(base)), ...fields };
      return same(next, draftOf(base)) ? null : next;
    });
  const discard = () => {
    setEdited(null);
    setProblem(null);
    setConflict(null);
  };
  /** Save the draft; gives the segment before and after, or null where it was refused. */
  const save = async (): Promise<{ before: Segment; after: Segment } | null> => {
    setProblem(null);
    setSaving(true);
    try {
      const after = await changes.save(base, draft);
      setBase(after);
      setEdited(null);
      return { before: base, after };
    } catch (error) {
      if (error instanceof GivenUp) return null;
      if (!(error instanceof ProblemError)) throw error;
      if (error.stale) setConflict(error.members.current as Segment);
      else setProblem(error);
      return null;
    } finally {
      setSaving(false);
    }
  };
  /** Go on from what somebody else has made of it, with one's own changes on top; fields in `yielded` stay theirs. */
  const resolve = (yielded: ReadonlySet<SegmentField>) => {
    if (conflict === null) return;
    const next = merged(draftOf(base), draft, draftOf(conflict), yielded);
    setBase(conflict);
    setEdited(same(next, draftOf(conflict)) ? null : next);
    setConflict(null);
  };
  const words = edited === null ? [] : changesInWords(draftOf(base), edited);
  return { base, draft, change, words, problem, conflict, saving, save, discard, resolve };
}

export type SegmentEditing = ReturnType<typeof useSegmentEditing>;
