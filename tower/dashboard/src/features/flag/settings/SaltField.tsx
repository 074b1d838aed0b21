import { Button, Group, TextInput } from "@mantine/core";
import { useState } from "react";
import { problemAt } from "../editing/problems";
import type { Form } from "../editing/useEditing";

/** What the users' buckets are computed with. It is opened on purpose only, because a change moves users in and out. */
export function SaltField({ form, saved }: { form: Form; saved: string }) {
  const { draft, change, readOnly } = form;
  const [opened, setOpened] = useState(false);
  const moved = draft.salt !== saved;
  const open = opened || moved;
  return (
    <Group gap="xs" align="flex-end">
      <TextInput
        flex="1 1 240px"
        label="Salt"
        description={
          moved
            ? "Saved, other users get the flag: whoever is in now may be out, and the other way round."
            : "Decides which users are in at a percentage. Flags with the same salt have the same users in."
        }
        maxLength={200}
        value={draft.salt}
        readOnly={readOnly || !open}
        error={problemAt(form, "salt")}
        onChange={(event) => change({ salt: event.currentTarget.value })}
      />
      {!readOnly && !open && (
        <Button variant="default" onClick={() => setOpened(true)}>
          Choose other users
        </Button>
      )}
    </Group>
  );
}
