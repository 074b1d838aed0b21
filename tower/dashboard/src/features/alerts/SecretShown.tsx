import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { CopyText } from "@/components/Copy";

/** A secret that is shown this once. The window stays until it is said that the secret was kept. */
export function SecretShown({
  title,
  secret,
  what,
  children,
  close,
}: {
  title: string;
  secret: string | null;
  what: string;
  children: ReactNode;
  close: () => void;
}) {
  return (
    <Modal
      opened={secret !== null}
      onClose={close}
      title={title}
      size="lg"
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <Stack gap="md">
        <Text>It cannot be shown again: copy it now.</Text>
        {secret !== null && <CopyText value={secret} what={what} />}
        {children}
        <Group justify="flex-end">
          <Button onClick={close}>I have it</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
