import { Card, Group, Stack, Text, ThemeIcon, Title } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import type { ReactNode } from "react";

/** One of the steps: its number, or that it is done, what to do, and what came of it. */
export function StepCard({
  number,
  title,
  done,
  next,
  result,
  children,
}: {
  number: number;
  title: string;
  done: boolean;
  /** Whether this is the one to do now. */
  next: boolean;
  /** What came of it, once it is done. */
  result?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <Card
      withBorder
      p="lg"
      component="li"
      bg="var(--surface)"
      aria-current={next ? "step" : undefined}
      style={next ? { borderColor: "var(--mantine-primary-color-filled)" } : undefined}
    >
      <Group align="flex-start" wrap="nowrap" gap="md">
        <ThemeIcon radius="xl" size={28} variant={done || next ? "filled" : "default"} aria-hidden>
          {done ? <IconCheck size={16} /> : number}
        </ThemeIcon>
        <Stack gap="sm" flex={1} miw={0}>
          <Title order={2}>
            {title}
            {done && (
              <Text span c="var(--quiet)" fw={400}>
                {" "}
                · done
              </Text>
            )}
          </Title>
          <div aria-live="polite">{done && result}</div>
          {children}
        </Stack>
      </Group>
    </Card>
  );
}
