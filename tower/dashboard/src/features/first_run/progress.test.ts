import { describe, expect, it } from "vitest";
import { answersBy, doneSteps, type Found, nextStep } from "./progress";

const NOTHING: Found = { app: null, flag: null, keys: 0, sidecars: 0, answers: 0 };

describe("the steps", () => {
  it.each<[Partial<Found>, string | null]>([
    [{}, "app"],
    [{ app: "shop" }, "flag"],
    [{ app: "shop", flag: "search" }, "key"],
    [{ app: "shop", flag: "search", keys: 1 }, "sidecar"],
    [{ app: "shop", flag: "search", keys: 1, sidecars: 1 }, "answer"],
    [{ app: "shop", flag: "search", keys: 1, sidecars: 1, answers: 3 }, null],
    // `tailslide env` may make the key before there is a flag.
    [{ app: "shop", keys: 1, sidecars: 1 }, "flag"],
    // An editor does not see keys, and a sidecar that is heard from has one.
    [{ app: "shop", flag: "search", keys: null, sidecars: 1 }, "answer"],
    // A sidecar that has ended after it was asked.
    [{ app: "shop", flag: "search", keys: 1, answers: 3 }, "sidecar"],
  ])("%j: %s is next", (found, next) => expect(nextStep(doneSteps({ ...NOTHING, ...found }))).toBe(next));
});

it("adds up answers", () => {
  expect([...answersBy({ on: [1, null, 2], off: [0, null, 0] })]).toEqual([["on", 3]]);
});
