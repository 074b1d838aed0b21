import { expect, it } from "vitest";
import { once, ranked } from "./ranking";
import type { Command } from "./registry";

const command = (name: string, hint?: string): Command => ({ id: `${name} ${hint ?? ""}`, name, hint, group: "Flags" });
const names = (commands: readonly Command[]) => commands.map(({ name }) => name);

it("ranked wants all words, and has the beginnings of names first", () => {
  const all = [command("old-checkout"), command("checkout"), command("search", "shop"), command("recheck")];
  expect(names(ranked(all, "check", []))).toEqual(["checkout", "old-checkout", "recheck"]);
  expect(names(ranked(all, "shop sea", []))).toEqual(["search"]);
  expect(ranked(all, "nothing", [])).toEqual([]);
});

it("ranked has recent ones first among those that are as good", () => {
  const all = [command("pay-a"), command("pay-b"), command("pay")];
  expect(names(ranked(all, "pay", ["pay-b "]))).toEqual(["pay", "pay-b", "pay-a"]);
  expect(names(ranked(all, "", ["pay-b "]))).toEqual(["pay-b", "pay-a", "pay"]);
});

it("once keeps the first of those that are there twice", () => {
  expect(once([command("a"), command("b"), command("a")])).toHaveLength(2);
});
