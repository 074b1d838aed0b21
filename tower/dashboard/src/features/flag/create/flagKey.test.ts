import { describe, expect, test } from "vitest";
import { keyFrom, keyProblem } from "./flagKey";

describe("a key", () => {
  test.each([
    ["New checkout", "new-checkout"],
    ["  Straße & Café!  ", "stra-e-cafe"],
    ["Search v2.1", "search-v2.1"],
    ["__secret__", "secret__"],
    ["a..b.", "a.b"],
    ["日本", ""],
    ["x".repeat(120), "x".repeat(100)],
  ])("comes of the name %s", (name, key) => {
    expect(keyFrom(name)).toBe(key);
    if (key !== "") expect(keyProblem(key)).toBeNull();
  });
  test.each(["New_checkout", "a.b-c_d", "0", "-x"])("may be %s", (key) => {
    expect(keyProblem(key)).toBeNull();
  });
  test.each(["", "a b", "a/b", "ä", "_a", ".a", "a.", "a..b", "x".repeat(101)])("may not be %s", (key) => {
    expect(keyProblem(key)).not.toBeNull();
  });
});
