import { Alert, Button, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { sentenceOf } from "@/api/problem";

/** The head of each page: what it is, what is true of it, and what can be done. It names the browser's tab as well. */
export function PageHead({
  title,
  tab,
  children,
  actions,
}: {
  title: ReactNode;
  /** The name for the browser's tab, where `title` is not a text. */
  tab?: string;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  const name = tab ?? (typeof title === "string" ? title : "");
  useEffect(() => {
    document.title = name === "" ? "Tailslide" : `${name} · Tailslide`;
  }, [name]);
  return (
    <Group component="header" justify="space-between" align="flex-start" gap="md" mb="md">
      <Stack gap={4} flex="1 1 280px" miw={0}>
        <Title order={1} style={{ overflowWrap: "anywhere" }}>
          {title}
        </Title>
        {children}
      </Stack>
      {actions !== undefined && <Group gap="xs">{actions}</Group>}
    </Group>
  );
}

/** Nothing is there, why, and what to do about it. */
export function EmptyState({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" py={48} px="md" ta="center">
      <Text fw={600}>{title}</Text>
      {children !== undefined && (
        <Text component="div" c="var(--quiet)" maw={520}>
          {children}
        </Text>
      )}
      {action}
    </Stack>
  );
}

/** Something could not be read: what, and a way to try again. */
export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <Alert icon={<IconAlertTriangle />} color="gray" variant="outline" title="This could not be read" role="alert">
      <Text mb="xs">{sentenceOf(error)}</Text>
      {retry !== undefined && (
        <Button size="xs" variant="default" onClick={retry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}

/** Grey lines in the place of what is being read, as high as that will be, so that nothing jumps. */
export function LoadingState({ rows = 5, height = 32 }: { rows?: number; height?: number }) {
  return (
    <Stack gap="xs" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <Skeleton key={row} height={height} />
      ))}
    </Stack>
  );
}

/** Show what a query gives, or that it is loading, or why it failed. What was read before stays while it is read again. */
export function QueryView<T>({
  query,
  loading,
  children,
}: {
  query: UseQueryResult<T>;
  loading?: ReactNode;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && <ErrorState error={query.error} retry={() => void query.refetch()} />}
        {children(query.data)}
      </>
    );
  }
  if (query.isError) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  return loading ?? <LoadingState />;
}
