import { ActionIcon, Button, Group, Input, NativeSelect, Stack, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useState } from "react";
import { same } from "../editing/draft";
import { problemAt } from "../editing/problems";
import type { Form } from "../editing/useEditing";
import { type Kind, metadataOf, problemOfRow, type Row, rowsOf } from "./metadataRows";

/** Strings, numbers and booleans that every answer about the flag carries. */
export function MetadataFields({ form }: { form: Form }) {
  const { draft, change, readOnly } = form;
  const [rows, setRows] = useState<Row[]>(() => rowsOf(draft.metadata));
  // Discarded, or changed by somebody else: the rows follow.
  if (!same(metadataOf(rows), draft.metadata)) setRows(rowsOf(draft.metadata));
  const become = (next: Row[]) => {
    setRows(next);
    change({ metadata: metadataOf(next) });
  };
  const set = (place: number, fields: Partial<Row>) =>
    become(rows.map((row, index) => (index === place ? { ...row, ...fields } : row)));
  return (
    <Input.Wrapper
      label="Metadata"
      labelElement="div"
      description="Every answer about the flag carries it, for the programs that ask."
      error={problemAt(form, "metadata")}
    >
      <Stack gap="xs" mt={8}>
        {rows.map((row, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: names change while they are typed, and rows keep their order
          <Group key={place} gap="xs" align="flex-start" wrap="nowrap">
            <TextInput
              aria-label={`Name of metadata ${place + 1}`}
              placeholder="ticket"
              flex="1 1 30%"
              value={row.name}
              readOnly={readOnly}
              onChange={(event) => set(place, { name: event.currentTarget.value })}
            />
            <NativeSelect
              aria-label={`Kind of metadata ${place + 1}`}
              data={["text", "number", "yes or no"] satisfies Kind[]}
              value={row.kind}
              disabled={readOnly}
              onChange={(event) => {
                const kind = event.currentTarget.value as Kind;
                set(place, { kind, value: kind === "yes or no" ? "true" : row.kind === "yes or no" ? "" : row.value });
              }}
            />
            {row.kind === "yes or no" ? (
              <NativeSelect
                aria-label={`Value of metadata ${place + 1}`}
                flex="1 1 50%"
                data={[
                  { value: "true", label: "yes" },
                  { value: "false", label: "no" },
                ]}
                value={row.value}
                disabled={readOnly}
                onChange={(event) => set(place, { value: event.currentTarget.value })}
              />
            ) : (
              <TextInput
                aria-label={`Value of metadata ${place + 1}`}
                flex="1 1 50%"
                value={row.value}
                readOnly={readOnly}
                error={problemOfRow(rows, place)}
                onChange={(event) => set(place, { value: event.currentTarget.value })}
              />
            )}
            {!readOnly && (
              <ActionIcon
                variant="subtle"
                color="gray"
                size={36}
                aria-label={`Remove metadata ${row.name || place + 1}`}
                onClick={() => become(rows.filter((_, index) => index !== place))}
              >
                <IconX size={16} />
              </ActionIcon>
            )}
          </Group>
        ))}
        {!readOnly && rows.length < 50 && (
          <Group>
            <Button
              size="xs"
              variant="default"
              leftSection={<IconPlus size={14} />}
              onClick={() => setRows([...rows, { name: "", kind: "text", value: "" }])}
            >
              Add metadata
            </Button>
          </Group>
        )}
      </Stack>
    </Input.Wrapper>
  );
}
