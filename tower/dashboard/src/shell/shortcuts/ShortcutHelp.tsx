import { Group, Kbd, Modal, Stack, Text, Title } from "@mantine/core";
import { Fragment } from "react";
import { BY_ITSELF, isMac, SHORTCUTS, written } from "./table";

/** All shortcuts, out of their table. */
export function ShortcutHelp({ close }: { close: () => void }) {
  const all = [...Object.values(SHORTCUTS), ...BY_ITSELF];
  const groups = [...new Set(all.map(({ group }) => group))];
  return (
    <Modal opened onClose={close} title="Shortcuts">
      <Stack gap="lg">
        {groups.map((name) => (
          <section key={name}>
            <Title order={3} mb="xs">
              {name}
            </Title>
            <Stack gap={6}>
              {all
                .filter(({ group }) => group === name)
                .map(({ keys, does }) => (
                  <Group key={keys} justify="space-between" gap="md" wrap="nowrap">
                    <Text>{does}</Text>
                    <Group gap={4} wrap="nowrap">
                      {written(keys, isMac()).map((part) =>
                        part.kind === "key" ? (
                          <Kbd key={part.text}>{part.text}</Kbd>
                        ) : (
                          <Fragment key={part.text}>
                            <Text size="xs" c="var(--quiet)">
                              {part.text}
                            </Text>
                          </Fragment>
                        ),
                      )}
                    </Group>
                  </Group>
                ))}
            </Stack>
          </section>
        ))}
        <Text size="sm" c="var(--quiet)">
          None of them works while you write in a field, but {isMac() ? "⌘" : "Ctrl"} K.
        </Text>
      </Stack>
    </Modal>
  );
}
