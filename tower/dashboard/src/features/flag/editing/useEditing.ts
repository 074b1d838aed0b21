import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { ProblemError } from "@/api/problem";
import { type Flag, flagQuery, useFlagChanges } from "@/features/flags/api";
import { GivenUp } from "@/shell/reason";
import { changesInWords } from "./changesInWords";
import { type Draft, differing, draftOf, type Field, patchOf, same } from "./draft";
import { type Merged, merged } from "./merge";

/** What a form of a flag needs, be it of a flag that is there or of one that is being made. */
export interface Form {
  draft: Draft;
  /** Change fields of the draft; nothing is saved by it. */
  change: (fields: Partial<Draft>) => void;
  /** Whether the one who looks may only look. */
  readOnly: boolean;
  /** What the server refused; `problemAt` and `problemIn` say where. */
  problem: ProblemError | null;
}

/** What the parts of the flag's form get: the flag as it is, what it would be, and a way to change that. */
export interface Editing extends Form {
  /** The flag as it is now; it moves while it is edited. */
  saved: Flag;
}

/** What somebody else has made of the flag while it was edited. */
export interface News {
  from: Flag;
  to: Flag;
}

export interface Saved {
  before: Flag;
  after: Flag;
}

export interface EditingState {
  editing: Editing;
  /** Which fields would change. */
  changed: Field[];
  /** The same in words, a part for each change. */
  words: string[];
  /** What others changed under the draft; it is in the draft already where it does not contradict it. */
  news: News | null;
  /** Where others changed the same as the draft does: to be resolved before it can be saved. */
  conflict: (Merged & News) | null;
  save: () => Promise<Saved | null>;
  saving: boolean;
  discard: () => void;
  /** Go on from what others have made of the flag, with `draft`. */
  resolve: (draft: Draft) => void;
}

/**
 * The draft of one flag. It is kept while others change the flag: what only they changed is taken into it, and what both
 * changed waits for a choice. It is saved against the version that it was last brought up to.
 */
export function useEditing(flag: Flag, readOnly: boolean): EditingState {
  const [base, setBase] = useState<Flag>(flag);
  const [edited, setEdited] = useState<Draft | null>(null);
  const [problem, setProblem] = useState<ProblemError | null>(null);
  const [news, setNews] = useState<News | null>(null);
  const { change: send } = useFlagChanges(flag);
  const queries = useQueryClient();

  const before = useMemo(() => draftOf(base), [base]);
  const draft = edited ?? before;

  // A message that was on its way while a change was saved may show the flag as it was before; it is passed by.
  const isNewer = flag.version > base.version || flag.created_at !== base.created_at;
  const underDraft = useMemo(
    () => (edited === null || !isNewer ? null : merged(before, draftOf(flag), edited)),
    [edited, isNewer, before, flag],
  );
  if (edited === null) {
    if (base !== flag && (isNewer || flag.version === base.version)) setBase(flag);
  } else if (underDraft !== null && underDraft.collisions.length === 0) {
    setNews({ from: news?.from ?? base, to: flag });
    setBase(flag);
    setEdited(differing(draftOf(flag), underDraft.draft).length === 0 ? null : underDraft.draft);
  }

  const change = useCallback(
    (fields: Partial<Draft>) => {
      setEdited((now) => {
        const next = { ...(now ?? before), ...fields };
        return differing(before, next).length === 0 ? null : next;
      });
      // What was refused is being mended: the sentence goes where its field is changed.
      setProblem((now) =>
        now?.field != null && Object.keys(fields).some((each) => now.field?.startsWith(each)) ? null : now,
      );
    },
    [before],
  );
  const discard = useCallback(() => {
    setEdited(null);
    setProblem(null);
    setNews(null);
  }, []);

  const save = async (): Promise<Saved | null> => {
    setProblem(null);
    try {
      const after = await send.mutateAsync({ body: patchOf(before, draft), version: base.version });
      setBase(after);
      setEdited(null);
      setNews(null);
      return { before: base, after };
    } catch (error) {
      if (error instanceof GivenUp) return null;
      if (!(error instanceof ProblemError)) throw error;
      // Somebody was faster than the live connection: their flag comes in as if it had come through that.
      if (error.stale) queries.setQueryData(flagQuery(flag.app, flag.key).queryKey, error.members.current as Flag);
      else setProblem(error);
      return null;
    }
  };
  const resolve = (resolved: Draft) => {
    setNews({ from: news?.from ?? base, to: flag });
    setBase(flag);
    setEdited(same(resolved, draftOf(flag)) ? null : resolved);
  };

  const words = useMemo(() => (edited === null ? [] : changesInWords(before, edited)), [before, edited]);
  return {
    editing: { saved: flag, draft, change, readOnly, problem },
    changed: edited === null ? [] : differing(before, draft),
    words,
    news: edited === null ? null : news,
    conflict: underDraft !== null && underDraft.collisions.length > 0 ? { ...underDraft, from: base, to: flag } : null,
    save,
    saving: send.isPending,
    discard,
    resolve,
  };
}
