import { notifications } from "@mantine/notifications";
import { sentenceOf } from "@/api/problem";
import { type Flag, useFlagChanges } from "@/features/flags/api";
import { GivenUp } from "@/shell/reason";
import { useSavedToast } from "../saved/useSavedToast";

/** What one press does to a flag: saved at once, told of afterwards, and taken back with Undo where that is possible. */
export function useSwitching(flag: Flag) {
  const changes = useFlagChanges(flag);
  const show = useSavedToast();
  const pressed = async (press: () => Promise<Flag>, done: string, mayUndo: boolean) => {
    try {
      show({ before: flag, after: await press() }, done, mayUndo);
    } catch (error) {
      if (error instanceof GivenUp) return;
      notifications.show({ color: "gray", title: "Not changed", message: sentenceOf(error), autoClose: 10_000 });
    }
  };
  return {
    busy: changes.toggle.isPending || changes.reset.isPending || changes.change.isPending,
    toggle: () =>
      pressed(() => changes.toggle.mutateAsync(!flag.active), flag.active ? "Turned off" : "Turned on", true),
    // A circuit that was closed by hand cannot be opened again as it was.
    letBack: () => pressed(() => changes.reset.mutateAsync(), "Users are let back", false),
    endTheHold: () =>
      pressed(
        () => changes.change.mutateAsync({ body: { circuit: { forced_open: false } } }),
        "The hold is ended",
        true,
      ),
  };
}
