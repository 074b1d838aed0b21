import { Stack, TextInput } from "@mantine/core";
import { problemAt } from "../editing/problems";
import { useFlagOutlet } from "../flagOutlet";

/** What the flag is called and whose it is, who is told of it, and its end. */
export function SettingsTab() {
  const { editing } = useFlagOutlet();
  const { draft, change, readOnly } = editing;
  return (
    <Stack maw={720}>
      <TextInput
        label="Name"
        value={draft.name}
        readOnly={readOnly}
        error={problemAt(editing, "name")}
        onChange={(event) => change({ name: event.currentTarget.value })}
      />
    </Stack>
  );
}
