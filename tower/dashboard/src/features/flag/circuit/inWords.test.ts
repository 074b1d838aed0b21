import { describe, expect, it } from "vitest";
import { recoveryInWords, settingsInWords, stepsInWords } from "./inWords";
import { placesOf } from "./Ramp";
import { USUAL, USUAL_RECOVERY } from "./settings/limits";

const usual = { ...USUAL, reset_generation: 0 };

describe("settings in words", () => {
  it("say when it opens and how users come back", () => {
    expect(settingsInWords(usual)).toBe(
      "Opens when more than 50% of calls fail, judged from 10 calls on, over 10 s at most, or up to 30 min where calls are few. Users come back after 30 s, 10% first.",
    );
  });

  it("say what is unusual", () => {
    expect(settingsInWords(null)).toContain("nothing is taken from users");
    expect(settingsInWords({ ...usual, recovery: null })).toContain("when a person lets them");
    expect(settingsInWords({ ...usual, slow_call_ms: 500, slow_threshold: 20 })).toContain(
      "or when more than 20% take longer than 500 ms",
    );
    expect(settingsInWords({ ...usual, error_threshold: 100 })).toContain("Never opens by itself");
  });
});

describe("a recovery in words", () => {
  it("has its steps and how long it takes", () => {
    expect(stepsInWords(USUAL_RECOVERY)).toBe("10%, 20%, 30% … 90%");
    expect(recoveryInWords(USUAL_RECOVERY, 0)).toBe(
      "When it opens: nobody for 30 s, then 10%, 20%, 30% … 90% of the rollout, 5 s each. Everyone is back after 75 s at the earliest.",
    );
  });

  it("doubles its delay with each trip in a row", () => {
    expect(recoveryInWords({ ...USUAL_RECOVERY, initial: 100 }, 1)).toBe(
      "When it opens: nobody for 1 min, then 100% of the rollout for 5 s. Everyone is back after 65 s at the earliest.",
    );
  });
});

describe("the columns of a recovery", () => {
  it("are all of few steps, and some of many, with the last and the present one", () => {
    expect(placesOf(3, null)).toEqual([0, 1, 2]);
    const places = placesOf(900, 501);
    expect(places.length).toBeLessThanOrEqual(25);
    expect([places[0], places.at(-1), places.includes(501)]).toEqual([0, 899, true]);
  });
});
