import { Group, Input, SegmentedControl, Stack, TagsInput, Textarea, TextInput } from "@mantine/core";
import { useId } from "react";
import { problemAt } from "../editing/problems";
import type { Form } from "../editing/useEditing";

/** What the flag is for, how it is found, whom to ask about it, and whether it is meant to go. */
export function AboutFields({ form, named = true }: { form: Form; named?: boolean }) {
  const { draft, change, readOnly } = form;
  const lifetime = useId();
  return (
    <Stack gap="sm">
      {named && (
        <TextInput
          label="Name"
          description="What people call it; empty, it is called by its key."
          maxLength={200}
          value={draft.name}
          readOnly={readOnly}
          error={problemAt(form, "name")}
          onChange={(event) => change({ name: event.currentTarget.value })}
        />
      )}
      <Textarea
        label="Description"
        description="What the flag is for."
        autosize
        minRows={2}
        maxRows={12}
        maxLength={2000}
        value={draft.description}
        readOnly={readOnly}
        error={problemAt(form, "description")}
        onChange={(event) => change({ description: event.currentTarget.value })}
      />
      <TagsInput
        label="Tags"
        description="For lists and searches. Press Enter after each."
        maxTags={20}
        splitChars={[",", " "]}
        value={draft.tags}
        readOnly={readOnly}
        error={problemAt(form, "tags")}
        // As the server keeps them: in lower case, in order.
        onChange={(tags) => change({ tags: [...new Set(tags.map((tag) => tag.toLowerCase()))].sort() })}
      />
      <TextInput
        label="Owner"
        description="Who is to be asked about it: a name, a team, an e-mail address."
        maxLength={200}
        value={draft.owner ?? ""}
        readOnly={readOnly}
        error={problemAt(form, "owner")}
        onChange={(event) => change({ owner: event.currentTarget.value === "" ? null : event.currentTarget.value })}
      />
      <Input.Wrapper
        label="Lifetime"
        labelElement="div"
        labelProps={{ id: lifetime }}
        description="A temporary flag is meant to be removed one day."
        error={problemAt(form, "lifetime")}
      >
        <Group gap="sm" mt={4} align="flex-end">
          <SegmentedControl
            aria-labelledby={lifetime}
            readOnly={readOnly}
            value={draft.lifetime}
            data={[
              { value: "permanent", label: "Permanent" },
              { value: "temporary", label: "Temporary" },
            ]}
            onChange={(value) =>
              change(value === "temporary" ? { lifetime: value } : { lifetime: "permanent", expected_end: null })
            }
          />
          {draft.lifetime === "temporary" && (
            <TextInput
              type="date"
              aria-label="Expected end"
              value={draft.expected_end ?? ""}
              readOnly={readOnly}
              error={problemAt(form, "expected_end")}
              onChange={(event) => change({ expected_end: event.currentTarget.value || null })}
            />
          )}
        </Group>
      </Input.Wrapper>
    </Stack>
  );
}
