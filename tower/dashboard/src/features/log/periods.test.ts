import { describe, expect, it } from "vitest";
import { beginOf, fromLocalInput, toLocalInput } from "./periods";

describe("periods", () => {
  it("begin at a whole minute", () => {
    expect(beginOf(3_600_000, Date.parse("2026-11-22T12:34:56.789Z"))).toBe("2026-11-22T11:34:00.000Z");
  });

  it("go through an input and back in the reader's zone", () => {
    const at = "2026-11-22T11:34:00.000Z";
    expect(fromLocalInput(toLocalInput(at))).toBe(at);
    expect(toLocalInput("")).toBe("");
    expect(toLocalInput("nonsense")).toBe("");
    expect(fromLocalInput("nonsense")).toBe("");
  });
});
