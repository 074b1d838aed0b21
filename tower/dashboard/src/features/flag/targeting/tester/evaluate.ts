import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { api, dataOf, type Schemas } from "@/api/client";
import { ProblemError } from "@/api/problem";
import { type Draft, draftOf, patchOf } from "@/features/flag/editing/draft";
import type { Flag, FlagChange } from "@/features/flags/api";
import type { ServerMessage } from "@/live/connection";
import { useLiveMessages } from "@/live/LiveProvider";

export type Evaluation = Schemas["EvaluationOut"];
export type Answer = Schemas["AnswerOut"];
type Context = Schemas["AskedContext"];

/** What of a draft decides about answers. */
const TARGETING = [
  "active",
  "variants",
  "off_variant",
  "split",
  "bucket_by",
  "requires",
  "rollout",
  "allow",
  "deny",
  "rules",
  "circuit",
] as const;

/** What the draft changes about answers; null where that is nothing, so that the flag is tried as it is. */
export function triedChange(saved: Flag, draft: Draft): FlagChange | null {
  const patch = patchOf(draftOf(saved), draft);
  const change = Object.fromEntries(TARGETING.filter((field) => field in patch).map((field) => [field, patch[field]]));
  return Object.keys(change).length === 0 ? null : (change as FlagChange);
}

async function evaluate(
  { app, key: flag }: Flag,
  body: Schemas["EvaluateFlag"],
  signal?: AbortSignal,
): Promise<Evaluation> {
  return dataOf(await api.POST("/apps/{app}/flags/{flag}/evaluate", { params: { path: { app, flag } }, body, signal }));
}

/** What the draft of a flag gives one user, asked again when the flag, its circuit or anything of the app changes. */
export function useEvaluation(saved: Flag, change: FlagChange | null, context: Context | null) {
  const { app, key, version, state } = saved;
  const queries = useQueryClient();
  useLiveMessages(
    useCallback(
      (message: ServerMessage) => {
        const other = message.type === "flag" && message.app === app && message.key !== key;
        const segment =
          message.type === "log" && (message.entry as { subject?: { kind?: string } }).subject?.kind === "segment";
        if (other || segment)
          void queries.invalidateQueries({ queryKey: ["evaluation", app, key] }, { cancelRefetch: false });
      },
      [queries, app, key],
    ),
  );
  return useQuery({
    queryKey: ["evaluation", app, key, version, state.circuit?.state, state.circuit?.percentage, change, context],
    queryFn: ({ signal }) => evaluate(saved, { contexts: context === null ? null : [context], flag: change }, signal),
    enabled: context !== null,
    placeholderData: keepPreviousData,
    gcTime: 30_000,
    retry: false,
  });
}

/** As many as Tower takes at once. */
const KEYS_AT_ONCE = 1000;
const CONTEXTS_AT_ONCE = 100;

/** What a flag gives each of many keys, in portions; smaller ones where Tower says that the flag is too large for it. */
export async function evaluateMany(
  saved: Flag,
  change: FlagChange | null,
  keys: readonly string[],
  attributes: Record<string, unknown> | null,
  progress: (done: number) => void,
  signal: AbortSignal,
): Promise<Evaluation[]> {
  const portions: Evaluation[] = [];
  let most = attributes === null ? KEYS_AT_ONCE : CONTEXTS_AT_ONCE;
  let done = 0;
  while (done < keys.length) {
    const portion = keys.slice(done, done + most);
    const asked =
      attributes === null
        ? { targeting_keys: portion }
        : { contexts: portion.map((targeting_key) => ({ targeting_key, attributes })) };
    try {
      portions.push(await evaluate(saved, { ...asked, flag: change }, signal));
    } catch (error) {
      const tooMany = error instanceof ProblemError && /^(contexts|targeting_keys)/.test(error.field ?? "");
      if (!tooMany || most <= 1) throw error;
      most = Math.floor(most / 2);
      continue;
    }
    done += portion.length;
    progress(done);
  }
  return portions;
}
