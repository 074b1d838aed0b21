import { Button, Group, List, Text } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useEffect } from "react";
import { Ago } from "@/components/Moment";
import type { Saved } from "../editing/useEditing";
import { useArrival, whyMissing } from "./useArrival";

interface Props {
  saved: Saved;
  /** What was done, where `Saved` does not say enough. */
  done?: string;
  undo?: (() => void) | undefined;
  /** Called when there is nothing more to tell. */
  whenComplete?: () => void;
}

/** `Saved · arrived in 12 of 12 · Undo`, following the arrival; sidecars that do not get it are named, with why. */
export function SavedNote({ saved, done = "Saved", undo, whenComplete }: Props) {
  const { words, missing, complete, superseded } = useArrival(saved.after);
  useEffect(() => {
    if (complete) whenComplete?.();
  }, [complete, whenComplete]);
  return (
    <div role="status">
      <Group gap={8} wrap="wrap">
        <IconCheck size={16} aria-hidden />
        <Text span>
          {done} · {words}
        </Text>
        {undo !== undefined && (
          <Button size="compact-sm" variant="light" onClick={undo} disabled={superseded}>
            Undo
          </Button>
        )}
        {undo !== undefined && superseded && (
          <Text span size="xs" c="var(--quiet)">
            changed again since
          </Text>
        )}
      </Group>
      {missing.length > 0 && (
        <List size="xs" mt={4} c="var(--quiet)">
          {missing.slice(0, 5).map((each) => (
            <List.Item key={each.instance}>
              {each.instance}: {whyMissing(each)}, last heard <Ago at={each.last_heard_at} />
            </List.Item>
          ))}
          {missing.length > 5 && <List.Item>and {missing.length - 5} more</List.Item>}
        </List>
      )}
    </div>
  );
}
