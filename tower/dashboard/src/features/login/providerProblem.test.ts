import { expect, it } from "vitest";
import { providerProblem } from "./providerProblem";

it("has a sentence for what Tower says, and for nothing else", () => {
  expect(providerProblem("?problem=no_account&next=%2F")).toMatch("Ask an admin to invite you");
  for (const search of [
    "",
    "?next=/",
    "?problem=",
    "?problem=Call+555",
    "?problem=constructor",
    "?problem=__proto__",
  ]) {
    expect(providerProblem(search)).toBeNull();
  }
});
