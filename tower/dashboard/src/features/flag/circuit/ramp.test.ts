import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { delayMs, placeOf, type Recovery, rampOf } from "./ramp";

interface Vectors {
  ramps: (Pick<Recovery, "initial" | "increment" | "profile"> & { name: string; steps: number[] })[];
  delays: { name: string; delay_ms: number; max_delay_ms: number; after: { trips: number; delay_ms: number }[] }[];
}

const file = new URL("../../../../../../tests/conformance/ramp.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf-8")) as Vectors;

describe("the ramp", () => {
  it.each(vectors.ramps)("has the steps of the core: $name", ({ steps, ...recovery }) => {
    expect(rampOf(recovery)).toEqual({ steps, more: false });
  });

  it.each(vectors.delays)("waits as the core does: $name", ({ after, ...recovery }) => {
    for (const { trips, delay_ms } of after) expect(delayMs(recovery, trips)).toBe(delay_ms);
  });

  it("stops where nobody reads single steps, and says so", () => {
    const ramp = rampOf({ initial: 0.001, increment: 0.001, profile: "linear" });
    expect(ramp.more).toBe(true);
    expect(ramp.steps.at(-1)).toBe(2);
  });

  it("finds the step that a circuit is at, also after its settings have changed", () => {
    expect(placeOf([10, 20, 30], 20)).toBe(1);
    expect(placeOf([10, 40, 70], 30)).toBe(1);
  });
});
