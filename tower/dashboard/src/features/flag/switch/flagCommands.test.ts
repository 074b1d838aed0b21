import { describe, expect, it } from "vitest";
import { commandsOf } from "./flagCommands";

const flag = { app: "shop", key: "new-checkout", name: "New checkout", active: true, settled: "on" } as const;
const presses = { toggle: () => undefined, letBack: () => undefined, endTheHold: () => undefined };
const TABS = ["Targeting", "Circuit", "Log", "Settings"].map((tab) => `${tab} of New checkout`);

describe("the commands of a flag's page", () => {
  it.each([
    [flag, ["Turn off New checkout"]],
    [{ ...flag, active: false, settled: "off" }, ["Turn on New checkout"]],
    [{ ...flag, settled: "open" }, ["Let users of New checkout back now", "Turn off New checkout"]],
    [{ ...flag, settled: "recovering" }, ["Let users of New checkout back now", "Turn off New checkout"]],
    [{ ...flag, settled: "held_off" }, ["End the hold of New checkout", "Turn off New checkout"]],
  ] as const)("%o", (of, names) => {
    expect(commandsOf(of, presses).map(({ name }) => name)).toEqual([...names, ...TABS]);
  });
  it("are only ways to its parts for those who may not change it", () => {
    expect(commandsOf({ ...flag, settled: "open" }, null).map(({ name }) => name)).toEqual(TABS);
  });
});
