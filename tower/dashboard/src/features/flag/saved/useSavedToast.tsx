import { notifications } from "@mantine/notifications";
import { useCallback } from "react";
import { sentenceOf } from "@/api/problem";
import { GivenUp } from "@/shell/reason";
import type { Saved } from "../editing/useEditing";
import { SavedNote } from "./SavedNote";
import { useUndo } from "./useUndo";

const SHOWN_MS = 8_000;

/** How a change is taken back: by going back to the version before, in a way of its own, or not at all. */
type Undo = "rollback" | (() => Promise<Saved | null>) | null;

/** Tell of a change that was saved by one press, follow its arrival, and offer to take it back. */
export function useSavedToast(): (saved: Saved, done: string, undo?: Undo) => void {
  const rollBack = useUndo();
  return useCallback(
    function show(saved: Saved, done: string, undo: Undo = "rollback") {
      const { app, key, version } = saved.after;
      const id = `saved ${app}.${key} ${version} ${done}`;
      // One at a time: only the newest change can be taken back.
      if (shown !== null) notifications.hide(shown);
      shown = id;
      const takeBack = async () => {
        try {
          const undone = undo === "rollback" ? await rollBack(saved) : await undo?.();
          if (undone != null) show(undone, "Undone", null);
        } catch (error) {
          if (error instanceof GivenUp) return;
          notifications.show({ color: "gray", title: "Not undone", message: sentenceOf(error) });
        }
      };
      notifications.show({
        id,
        autoClose: false,
        withBorder: true,
        message: (
          <SavedNote
            saved={saved}
            done={done}
            undo={undo === null ? undefined : () => void takeBack()}
            whenComplete={() => setTimeout(() => notifications.hide(id), SHOWN_MS)}
          />
        ),
      });
    },
    [rollBack],
  );
}

/** The toast that is there now. */
let shown: string | null = null;
