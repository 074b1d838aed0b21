import { Alert, Button, Card, Group, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAlertTriangle } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { CopyText } from "@/components/Copy";
import { Moment } from "@/components/Moment";
import { EmptyState } from "@/components/views";
import styles from "./settings.module.css";

/** Why Tower has refused something, in its own sentence; nothing where it has not. */
export function Refused({ error }: { error: unknown }) {
  if (error === null || error === undefined) return null;
  return (
    <Alert color="gray" variant="outline" icon={<IconAlertTriangle />} role="alert">
      {sentenceOf(error)}
    </Alert>
  );
}

/** What only admins over all apps see; others are told so. */
export function ForAdmins({ children }: { children: ReactNode }) {
  const { mayAdmin } = useRights();
  if (mayAdmin()) return children;
  return <EmptyState title="Only admins over all apps see this">An admin can give you that role.</EmptyState>;
}

/** A list of things, each with what can be done with it. */
export function Rows({ children }: { children: ReactNode }) {
  return (
    <Card withBorder p={0} bg="var(--surface)" component="ul" m={0} style={{ listStyle: "none" }}>
      {children}
    </Card>
  );
}

export function Row({ children, actions }: { children: ReactNode; actions?: ReactNode }) {
  return (
    <li className={styles.row}>
      <div style={{ minWidth: 0, overflowWrap: "anywhere" }}>{children}</div>
      {actions !== undefined && <Group gap="xs">{actions}</Group>}
    </li>
  );
}

/** A button for what cannot be undone: it says in words what will happen before it does. */
export function Consequence({
  name,
  label,
  title,
  words,
  act,
}: {
  /** What the button says, here and in the question. */
  name: string;
  /** What the button is called for screen readers, where `name` alone does not say whom it is about. */
  label?: string;
  title: string;
  words: ReactNode;
  act: () => Promise<unknown>;
}) {
  const [opened, { open, close }] = useDisclosure(false);
  const [failure, setFailure] = useState<unknown>(null);
  const [acting, setActing] = useState(false);
  const go = async () => {
    setActing(true);
    setFailure(null);
    try {
      await act();
      close();
    } catch (error) {
      setFailure(error);
    } finally {
      setActing(false);
    }
  };
  return (
    <>
      <Button size="xs" variant="default" onClick={open} aria-label={label}>
        {name}
      </Button>
      <Modal opened={opened} onClose={close} title={title}>
        <Stack>
          <Text component="div">{words}</Text>
          <Refused error={failure} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close} data-autofocus>
              Leave it
            </Button>
            <Button onClick={() => void go()} loading={acting}>
              {name}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

/** A link that Tower shows this once. */
export function LinkOnce({ url, expiresAt, children }: { url: string; expiresAt: string; children: ReactNode }) {
  return (
    <Alert color="accent" variant="light" title="The link, shown this once" role="status">
      <Stack gap="xs">
        <Text>{children}</Text>
        <CopyText value={url} what="the link" />
        <Text c="var(--quiet)">
          It works once, until <Moment at={expiresAt} />.
        </Text>
      </Stack>
    </Alert>
  );
}
