import { Alert, Button, Group, Radio, Stack, Table, Text } from "@mantine/core";
import { IconUsers } from "@tabler/icons-react";
import { useState } from "react";
import { contested, differing, draftOf, fieldInWords, type SegmentField } from "./draft";
import type { SegmentEditing } from "./useSegmentEditing";

const NAMES: Readonly<Record<SegmentField, string>> = {
  description: "Description",
  include: "Members",
  exclude: "Excluded",
  when: "Conditions",
};

/** Somebody else was faster: their changes and one's own side by side, and a choice where both have changed the same. */
export function Conflict({ editing: { base, draft, conflict, resolve, discard } }: { editing: SegmentEditing }) {
  const [yielded, setYielded] = useState<ReadonlySet<SegmentField>>(new Set());
  if (conflict === null) return null;
  const [before, theirs] = [draftOf(base), draftOf(conflict)];
  const chosen = contested(before, draft, theirs);
  const fields = [...new Set([...differing(before, theirs), ...differing(before, draft)])];
  const words = (after: typeof draft, field: SegmentField) => {
    const said = differing(before, after).includes(field) ? fieldInWords(field, before, after) : [];
    return said.length === 0 ? "not changed" : said.join(", ");
  };
  return (
    <Alert
      mb={16}
      color="gray"
      variant="outline"
      icon={<IconUsers />}
      role="alert"
      title="Somebody else changed this segment while you were editing"
    >
      <Stack gap={12}>
        <Text size="sm">
          Nothing of yours is saved yet, and nothing is lost. Keys that you both added or removed go together.
        </Text>
        <Table fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>What</Table.Th>
              <Table.Th>They</Table.Th>
              <Table.Th>You</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {fields.map((field) => (
              <Table.Tr key={field}>
                <Table.Td>{NAMES[field]}</Table.Td>
                {[theirs, draft].map((after, place) => (
                  <Table.Td key={place === 0 ? "theirs" : "mine"}>
                    {chosen.includes(field) ? (
                      <Radio
                        name={`choice-${field}`}
                        label={words(after, field)}
                        checked={yielded.has(field) === (place === 0)}
                        onChange={() => {
                          const next = new Set(yielded);
                          if (place === 0) next.add(field);
                          else next.delete(field);
                          setYielded(next);
                        }}
                      />
                    ) : (
                      words(after, field)
                    )}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
        <Group gap="xs">
          <Button onClick={() => resolve(yielded)}>Put yours on top of theirs</Button>
          <Button variant="default" onClick={discard}>
            Discard yours
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}
