import { describe, expect, it } from "vitest";
import { addedInWords, inBoth, keysIn, withKeys } from "./pasted";

describe("a pasted list", () => {
  it.each([
    ["ada", ["ada"]],
    ["ada\nbob\r\ncleo", ["ada", "bob", "cleo"]],
    [" ada , bob;cleo\tdan ", ["ada", "bob", "cleo", "dan"]],
    ["ada,,bob,\n\n", ["ada", "bob"]],
    ['"ada","bob"', ["ada", "bob"]],
    ['"Lovelace, Ada", bob', ["Lovelace, Ada", "bob"]],
    ['"say ""hi"""\nbob', ['say "hi"', "bob"]],
    ['5" disk, bob', ['5" disk', "bob"]],
    ["ada lovelace", ["ada lovelace"]],
    ["", []],
  ])("%j", (text, keys) => {
    expect(keysIn(text)).toEqual(keys);
  });

  it("is added without those that are there", () => {
    const added = withKeys(["ada"], ["bob", "ada", "bob", "x".repeat(501)]);
    expect(added.list).toEqual(["ada", "bob"]);
    expect(addedInWords(added)).toBe(
      "1 key added, 1 key was there already, 1 repeated key left out, 1 key longer than 500 characters left out.",
    );
    expect(addedInWords(withKeys([], ["a", "b"]))).toBe("2 keys added.");
    expect(addedInWords(withKeys(["a", "b"], ["a", "b"]), "value")).toBe("None added, 2 values were there already.");
  });
  it("finds who is on both lists", () => {
    expect(inBoth(["a", "b"], ["b", "c"])).toEqual(["b"]);
  });
});
