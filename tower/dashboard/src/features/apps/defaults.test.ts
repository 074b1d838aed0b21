import { expect, it } from "vitest";
import { defaultsInWords, formDefaults, withForm } from "./defaults";

it("formDefaults reads only what was set", () => {
  expect(formDefaults({})).toEqual({
    tags: [],
    owner: null,
    lifetime: null,
    rollout: null,
    errorThreshold: null,
    recovery: null,
  });
  expect(formDefaults({ circuit: { recovery: null } }).recovery).toBe(false);
  expect(formDefaults({ circuit: { recovery: {} } }).recovery).toBe(true);
});

it("withForm keeps what the form does not show", () => {
  const defaults = { metadata: { ticket: "A-1" }, circuit: { min_calls: 50, error_threshold: 20 }, owner: "ada" };
  const form = { ...formDefaults(defaults), owner: null, errorThreshold: null, rollout: 5 };
  expect(withForm(defaults, form)).toEqual({ metadata: { ticket: "A-1" }, circuit: { min_calls: 50 }, rollout: 5 });
});

it("withForm changes nothing where nothing was changed", () => {
  for (const defaults of [
    {},
    { circuit: null },
    { tags: ["a"], circuit: { error_threshold: 0, recovery: null } },
    { circuit: { recovery: { delay_ms: 5000 } } },
  ]) {
    expect(withForm(defaults, formDefaults(defaults))).toEqual(defaults);
  }
});

it("defaultsInWords says what is set, and how much more there is", () => {
  expect(defaultsInWords({})).toEqual([]);
  expect(defaultsInWords({ tags: ["a"], circuit: { error_threshold: 20, recovery: null, min_calls: 5 } })).toEqual([
    "tagged a",
    "its circuit opens when more than 20% of calls fail",
    "an open circuit waits for a person",
    "and 1 more setting that the API shows",
  ]);
});
