import { useEffect, useMemo, useRef } from "react";
import { useRights } from "@/api/session";
import type { Flag } from "@/features/flags/api";
import { useCommands } from "@/shell/commands/registry";
import { commandsOf, type Presses } from "./flagCommands";
import { useSwitching } from "./useSwitching";

/** Offer in the palette what the flag's page offers, to those who may do it. */
export function useFlagPageCommands(flag: Flag): void {
  const { mayEdit } = useRights();
  const may = mayEdit(flag.app) && flag.archived_at === null;
  const switching = useSwitching(flag);
  // A command acts on the flag as it is when it is chosen; the list itself changes only when its names do.
  const latest = useRef(switching);
  useEffect(() => {
    latest.current = switching;
  });
  const presses = useMemo<Presses>(
    () => ({
      toggle: () => !latest.current.busy && void latest.current.toggle(),
      letBack: () => !latest.current.busy && void latest.current.letBack(),
      endTheHold: () => !latest.current.busy && void latest.current.endTheHold(),
    }),
    [],
  );
  const { app, key, name, active } = flag;
  const { settled } = flag.state;
  useCommands(
    useMemo(
      () => commandsOf({ app, key, name, active, settled }, may ? presses : null),
      [app, key, name, active, settled, may, presses],
    ),
  );
}
