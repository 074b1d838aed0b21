import { notifications } from "@mantine/notifications";
import { useCallback } from "react";
import type { Saved } from "../editing/useEditing";
import { SavedNote } from "./SavedNote";
import { useUndo } from "./useUndo";

const SHOWN_MS = 8_000;

/** Tell of a change that was saved by one press, follow its arrival, and offer to take it back. */
export function useSavedToast(): (saved: Saved, done: string, mayUndo?: boolean) => void {
  const takeBack = useUndo();
  const show = useCallback(
    (saved: Saved, done: string, mayUndo = true) => {
      const id = `saved-${saved.after.app}-${saved.after.key}`;
      const undo = async () => {
        const undone = await takeBack(saved);
        if (undone !== null) show(undone, "Undone", false);
      };
      // One at a time: the newest change is the one that can be taken back.
      notifications.hide(`${id}-${saved.before.version}`);
      const shown = `${id}-${saved.after.version}`;
      notifications.show({
        id: shown,
        autoClose: false,
        withBorder: true,
        color: "accent",
        message: (
          <SavedNote
            saved={saved}
            done={done}
            undo={mayUndo ? () => void undo() : undefined}
            whenComplete={() => setTimeout(() => notifications.hide(shown), SHOWN_MS)}
          />
        ),
      });
    },
    [takeBack],
  );
  return show;
}
