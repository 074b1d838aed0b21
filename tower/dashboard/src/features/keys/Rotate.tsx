import { Button, Group, Modal, Select, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { Refused } from "@/features/settings/parts";
import { type NewToken, type Token, useTokenChanges } from "./api";

const GRACES = [
  { value: "0", label: "It stops working at once" },
  { value: "3600", label: "For an hour" },
  { value: "86400", label: "For a day" },
  { value: "604800", label: "For a week" },
];

/** Give a token a new secret, and say how long the old one works beside it. */
export function Rotate({ token, rotated }: { token: Token; rotated: (token: NewToken) => void }) {
  const [opened, { open, close }] = useDisclosure(false);
  const [grace, setGrace] = useState("3600");
  const { rotate } = useTokenChanges();
  const go = () =>
    rotate.mutate(
      { token: token.id, graceS: Number(grace) },
      {
        onSuccess: (renewed) => {
          close();
          rotated(renewed);
          window.scrollTo({ top: 0 });
        },
      },
    );
  return (
    <>
      <Button size="xs" variant="default" onClick={open} aria-label={`New secret for ${token.name}`}>
        New secret
      </Button>
      <Modal opened={opened} onClose={close} title={`A new secret for ${token.name}`}>
        <Stack>
          <Text>
            Programs have to be given the new secret. The old one works for a while, so that they can be changed one
            after another.
          </Text>
          <Select
            label="How long the old one works"
            data={GRACES}
            allowDeselect={false}
            value={grace}
            onChange={(value) => setGrace(value ?? "3600")}
          />
          <Refused error={rotate.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              Leave it
            </Button>
            <Button onClick={go} loading={rotate.isPending}>
              Make a new secret
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
