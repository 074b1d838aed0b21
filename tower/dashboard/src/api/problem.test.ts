import { expect, it } from "vitest";
import { ProblemError, sentenceOf } from "./problem";

it.each([
  ["the name is taken", "The name is taken."],
  ["Tower cannot be reached.", "Tower cannot be reached."],
  ["ada@example.org is the last admin", "ada@example.org is the last admin."],
  ["new-checkout has changed", "new-checkout has changed."],
])("%s", (detail, sentence) => expect(sentenceOf(new Error(detail))).toBe(sentence));

it.each([
  [
    "2 programs asked for it today, and callers would get their own defaults; set force to true to do it anyway",
    "2 programs asked for it today, and callers would get their own defaults",
  ],
  [
    "the flag 'leaf' requires the flag 'base'; change the field requires there first",
    "the flag 'leaf' requires the flag 'base'; take it out of the prerequisites there first",
  ],
  ['expected at least 1 character, got ""', "This must not be empty."],
  [
    "expected no cycle, got base → leaf → base",
    "These flags would require one another in a circle: base → leaf → base.",
  ],
  ["expected at least 10 calls, got 1", "expected at least 10 calls, got 1"],
])("%s, for people", (detail, sentence) => {
  expect(new ProblemError({ code: "INVALID", status: 400, detail }).message).toBe(sentence);
});
