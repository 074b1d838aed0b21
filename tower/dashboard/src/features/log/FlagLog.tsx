import type { Flag } from "@/features/flags/api";
import { LogWithExports } from "./Log";

/** The flag's own log: its changes, and the transitions of its circuit. */
export function FlagLog({ flag: { app, key } }: { flag: Flag }) {
  return <LogWithExports where={{ app, flag: key }} />;
}
