import { expect, it } from "vitest";
import { sentenceOf } from "./problem";

it.each([
  ["the name is taken", "The name is taken."],
  ["Tower cannot be reached.", "Tower cannot be reached."],
  ["ada@example.org is the last admin", "ada@example.org is the last admin."],
  ["new-checkout has changed", "new-checkout has changed."],
])("%s", (detail, sentence) => expect(sentenceOf(new Error(detail))).toBe(sentence));
