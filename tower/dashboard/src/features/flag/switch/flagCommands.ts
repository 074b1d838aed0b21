import type { Flag } from "@/features/flags/api";
import type { Command } from "@/shell/commands/registry";
import { paths } from "@/shell/paths";

/** What can be pressed on a flag's page. */
export interface Presses {
  toggle: () => void;
  letBack: () => void;
  endTheHold: () => void;
}

type Named = Pick<Flag, "app" | "key" | "name" | "active"> & Pick<Flag["state"], "settled">;

/** The commands of a flag's page, what its state calls for first. `presses` is null for those who may not change it. */
export function commandsOf({ app, key, name, active, settled }: Named, presses: Presses | null): Command[] {
  const command = (id: string, named: string, more: Pick<Command, "to" | "run">): Command => ({
    id: `${id} ${app}.${key}`,
    name: named,
    hint: app,
    group: "On this page",
    ...more,
  });
  const commands: Command[] = [];
  if (presses !== null) {
    if (settled === "open" || settled === "recovering") {
      commands.push(command("let back", `Let users of ${name} back now`, { run: presses.letBack }));
    }
    if (settled === "held_off") {
      commands.push(command("end the hold of", `End the hold of ${name}`, { run: presses.endTheHold }));
    }
    commands.push(command("toggle", `Turn ${active ? "off" : "on"} ${name}`, { run: presses.toggle }));
  }
  return [
    ...commands,
    command("targeting of", `Targeting of ${name}`, { to: paths.flag(app, key) }),
    command("circuit of", `Circuit of ${name}`, { to: paths.circuit(app, key) }),
    command("log of", `Log of ${name}`, { to: paths.flagLog(app, key) }),
    command("settings of", `Settings of ${name}`, { to: paths.flagSettings(app, key) }),
  ];
}
