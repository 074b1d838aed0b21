import { expect, test } from "vitest";
import { aFlag } from "../aFlag.test-data";
import { draftOf } from "../editing/draft";
import { newFlagInWords } from "./inWords";

const draft = draftOf(aFlag({ active: false, rollout: 25 }));

test("what will be made is said in sentences", () => {
  expect(newFlagInWords("shop", "new-checkout", draft, "")).toEqual([
    "The flag new-checkout in shop, off at first.",
    "Once it is on, about 25% of users get on, always the same ones; the others get off.",
    expect.stringMatching(/^Opens when more than 50% of calls fail/),
  ]);
  const more = newFlagInWords(
    "shop",
    "a",
    { ...draft, active: true, rollout: 100, circuit: null, lifetime: "temporary", expected_end: "2027-03-31" },
    "https://hooks.slack.com/services/x",
  );
  expect(more).toEqual([
    "The flag a in shop, on.",
    "Everybody gets on.",
    "No circuit: calls are counted, and nothing is taken from users.",
    "Slack is told when its circuit opens and closes.",
    "It is temporary, until 2027-03-31.",
  ]);
});
