import { Button, Text } from "@mantine/core";
import { useState } from "react";
import { useRights } from "@/api/session";
import { Ago } from "@/components/Moment";
import { ConflictView } from "./ConflictView";
import { changesInWords } from "./changesInWords";
import { draftOf } from "./draft";
import { nameOf } from "./settingNames";
import type { EditingState } from "./useEditing";
import { namesOf, useWhoChanged } from "./useWhoChanged";

/** Says that others have changed the flag under the draft: who, when, what, and what comes of it. */
export function NewsLine({ state }: { state: EditingState }) {
  const { news, conflict, resolve } = state;
  const [looking, setLooking] = useState(false);
  const told = conflict ?? news;
  const { principal } = useRights();
  const entries = useWhoChanged(told);
  if (told === null) return null;
  const changes = changesInWords(draftOf(told.from), draftOf(told.to));
  const byMe =
    entries.length > 0 && entries.every(({ actor }) => actor.kind === principal?.kind && actor.id === principal.id);
  const who = byMe ? "You" : namesOf(entries);
  const both = conflict?.collisions.map(({ path }) => nameOf(path)) ?? [];
  return (
    <div role="status">
      <Text>
        <strong>{who}</strong> changed this flag {byMe ? "elsewhere " : ""}while you were editing
        {entries[0] !== undefined && (
          <>
            , <Ago at={entries[0].at} />
          </>
        )}
        {changes.length > 0 && <>: {changes.join("; ")}</>}.{" "}
        {conflict === null
          ? "It is in what you see now, beside your changes."
          : `You changed ${both.join(" and ")} as well.`}{" "}
        {conflict !== null && (
          <Button size="compact-sm" onClick={() => setLooking(true)}>
            Look, and choose
          </Button>
        )}
      </Text>
      {conflict !== null && (
        <ConflictView
          opened={looking}
          conflict={conflict}
          who={who}
          when={entries[0]?.at}
          onClose={() => setLooking(false)}
          onChosen={(draft) => {
            setLooking(false);
            resolve(draft);
          }}
        />
      )}
    </div>
  );
}
