import { notifications } from "@mantine/notifications";
import { sentenceOf } from "@/api/problem";
import { type Flag, useFlagChanges } from "@/features/flags/api";
import { GivenUp } from "@/shell/reason";
import { useSavedToast } from "../saved/useSavedToast";

/** What one press does to a flag: saved at once, told of afterwards, and taken back with Undo where that is possible. */
export function useSwitching(flag: Flag) {
  const changes = useFlagChanges(flag);
  const show = useSavedToast();
  const pressed = async (press: () => Promise<Flag>, done: string, undo: "rollback" | null) => {
    try {
      show({ before: flag, after: await press() }, done, undo);
    } catch (error) {
      if (error instanceof GivenUp) return;
      notifications.show({
        color: "gray",
        title: `${flag.key} was not changed`,
        message: sentenceOf(error),
        autoClose: 10_000,
      });
    }
  };
  return {
    busy: changes.toggle.isPending || changes.reset.isPending || changes.change.isPending,
    toggle: () =>
      pressed(
        () => changes.toggle.mutateAsync(!flag.active),
        `Turned ${flag.key} ${flag.active ? "off" : "on"}`,
        "rollback",
      ),
    // A circuit that was closed by hand cannot be opened again as it was.
    letBack: () => pressed(() => changes.reset.mutateAsync(), `Users of ${flag.key} are let back`, null),
    holdOff: () =>
      pressed(
        () => changes.change.mutateAsync({ body: { circuit: { forced_open: true } } }),
        `${flag.key} is held off`,
        "rollback",
      ),
    endTheHold: () =>
      pressed(
        () => changes.change.mutateAsync({ body: { circuit: { forced_open: false } } }),
        `The hold of ${flag.key} is ended`,
        "rollback",
      ),
  };
}
