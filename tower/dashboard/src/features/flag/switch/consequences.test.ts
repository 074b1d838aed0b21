import { describe, expect, test } from "vitest";
import { aFlag } from "../aFlag.test-data";
import { ofEndingTheHold, ofReset, ofToggling, roughly, whatIsTrue, whoIsIn } from "./consequences";

describe("who is in", () => {
  const nobodyElse = { rollout: 25, allow: [], deny: [], rules: [] };
  const rule = { when: [], rollout: 100 };
  test.each([
    [nobodyElse, "about 25% of users"],
    [{ ...nobodyElse, allow: ["a", "b"] }, "about 25% of users, 2 users on the allow list"],
    [{ ...nobodyElse, rules: [rule, rule] }, "about 25% of users, whoever its rules let in"],
    [{ ...nobodyElse, rollout: 0 }, "nobody"],
    [
      { ...nobodyElse, rollout: 0, allow: ["a"], rules: [rule] },
      "only 1 user on the allow list and whoever its rule lets in",
    ],
    [{ ...nobodyElse, rollout: 100, allow: ["a"] }, "everybody"],
    [{ ...nobodyElse, rollout: 100, deny: ["a"] }, "everybody but 1 user on the deny list"],
  ])("%o", (targeting, words) => {
    expect(whoIsIn(targeting)).toBe(words);
  });
});

describe("what will happen", () => {
  test("turning it off says how many calls lose it, and how many sidecars do so", () => {
    const flag = aFlag({ arrived: 12, settled: "on" });
    expect(ofToggling(flag, 2312)).toBe(
      "Turning it off sends everybody to the fallback; about 2,300 calls a minute reach the feature now. 12 sidecars do so within a second.",
    );
    expect(ofToggling(flag, 0)).toContain("no call has reached the feature in the last minute");
    expect(ofToggling(flag, null)).toBe(
      "Turning it off sends everybody to the fallback. 12 sidecars do so within a second.",
    );
  });
  test("turning it on says who gets it, and that its circuit starts closed", () => {
    expect(ofToggling(aFlag({ active: false, rollout: 25, settled: "off" }), null)).toBe(
      "Turning it on gives it to about 25% of users. Who gets it keeps it. Its circuit starts closed. 1 sidecar does so within a second.",
    );
    expect(ofToggling(aFlag({ active: false, circuit: null, settled: "off" }), null)).toContain("It has no circuit");
    expect(ofToggling(aFlag({ active: false, settled: "off", arrived: 0 }), null)).toContain("No sidecar is running.");
  });
  test("turning off what nobody gets says that it stays so", () => {
    expect(ofToggling(aFlag({ settled: "open" }), 0)).toContain("it does not come back by itself");
  });
  test("letting users back says who is back, and that it may open again", () => {
    expect(ofReset(aFlag({ settled: "open", rollout: 100 }))).toBe(
      "The circuit closes at once, and everybody gets it again (now nobody does). If the feature still fails, it opens again.",
    );
    expect(ofReset(aFlag({ settled: "recovering", percentage: 30, rollout: 25 }))).toContain(
      "about 25% of users get it again (now 30% of them do).",
    );
    expect(ofEndingTheHold(aFlag({ settled: "held_off", rollout: 100 }))).toContain("everybody gets it again");
  });
  test("the value that users get is named where it is not plainly on or off", () => {
    expect(ofToggling(aFlag({ type: "string", off_variant: "blue", settled: "on" }), null)).toContain(
      "the off variant “blue”",
    );
  });
});

test("what is true beside the switch", () => {
  expect(whatIsTrue(aFlag({ settled: "open" }))).toBe("circuit open: nobody gets it");
  expect(whatIsTrue(aFlag({ settled: "recovering", percentage: 30 }))).toBe("recovering: 30% of the rollout gets it");
  expect(whatIsTrue(aFlag({ settled: "on" }))).toBeNull();
  expect(whatIsTrue(aFlag({ settled: "unknown", active: false }))).toBeNull();
});

test("numbers that are guesses have two digits", () => {
  expect([0.3, 7.4, 48.9, 489, 2312, 104_999].map(roughly)).toEqual([
    "one or less",
    "7",
    "49",
    "490",
    "2,300",
    "100,000",
  ]);
});
