import { expect, test } from "vitest";
import { aFlag } from "../aFlag.test-data";
import { type Circuit, draftOf } from "../editing/draft";
import { circuitInWords, newFlagInWords } from "./inWords";

const draft = draftOf(aFlag({ active: false, rollout: 25 }));

test("what will be made is said in sentences", () => {
  expect(newFlagInWords("shop", "new-checkout", draft, "")).toEqual([
    "The flag new-checkout in shop, off at first.",
    "Once it is on, about 25% of users get on, always the same ones; the others get off.",
    "Its circuit opens when more than 50% of calls fail, judged from 10 calls on. Users come back after 30 s, 10% first.",
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
    "It has no circuit: nothing takes it from users when it fails.",
    "Slack is told when its circuit opens and closes.",
    "It is temporary, until 2027-03-31.",
  ]);
});

test("slow calls and recovery are part of the circuit's words", () => {
  const circuit = draft.circuit as Circuit;
  expect(circuitInWords({ ...circuit, slow_call_ms: 800, slow_threshold: 30, recovery: null })).toBe(
    "Its circuit opens when more than 50% of calls fail, or more than 30% take longer than 800 ms, judged from 10 calls on. Users come back when a person lets them.",
  );
});
