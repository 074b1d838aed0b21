import { Button, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { sentenceOf } from "@/api/problem";
import { GivenUp } from "@/shell/reason";
import { type Flag, idOf, useFlagChanges } from "./api";
import { intoLists } from "./list";
import { pressed } from "./switching";

/** Turn a flag on or off out of a list, with Undo afterwards. */
export function useSwitch(flag: Flag): { press: () => void; pending: boolean } {
  const queries = useQueryClient();
  const { toggle } = useFlagChanges(flag);
  const set = async (active: boolean, undoable: boolean) => {
    const id = `switched-${idOf(flag)}`;
    try {
      const changed = await toggle.mutateAsync(active);
      intoLists(queries, changed);
      notifications.hide(id);
      notifications.show({
        id,
        color: "gray",
        withBorder: true,
        autoClose: 10_000,
        message: (
          <Group justify="space-between" wrap="nowrap">
            <Text>{pressed(changed)}</Text>
            {undoable && (
              <Button size="compact-sm" variant="default" onClick={() => void set(!active, false)}>
                Undo
              </Button>
            )}
          </Group>
        ),
      });
    } catch (error) {
      if (error instanceof GivenUp) return;
      notifications.show({ id, color: "gray", title: `${flag.name} was not changed`, message: sentenceOf(error) });
    }
  };
  return { press: () => void set(!flag.active, true), pending: toggle.isPending };
}
