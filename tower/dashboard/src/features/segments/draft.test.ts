import { describe, expect, it } from "vitest";
import { changesInWords, contested, EMPTY, merged, requestOf, type SegmentDraft, segmentInWords } from "./draft";

const beta: SegmentDraft = {
  description: "Testers",
  include: ["ada", "bob"],
  exclude: ["dan"],
  when: [{ attribute: "groups", operator: "in", values: ["beta"] }],
};

describe("a segment's draft", () => {
  it("sends single members where only one list changes", () => {
    expect(requestOf(beta, { ...beta, include: ["bob", "cleo"] })).toEqual({
      list: "include",
      add: ["cleo"],
      remove: ["ada"],
    });
    expect(requestOf(beta, { ...beta, include: [], description: "" })).toEqual({ include: [], description: "" });
  });
  it("says what would change", () => {
    const after = { ...beta, description: "", include: ["ada", "cleo", "eve"], exclude: [], when: [] };
    expect(changesInWords(beta, after)).toEqual([
      "description removed",
      "2 keys added to the members",
      "1 key removed from the members",
      "1 key removed from those excluded",
      "no conditions",
    ]);
    expect(changesInWords(beta, beta)).toEqual([]);
  });
  it("says who is in it", () => {
    expect(segmentInWords(beta)).toBe("2 listed users, and users for whom groups is beta, except 1 user.");
    expect(segmentInWords({ ...beta, include: [], exclude: [] })).toBe("Users for whom groups is beta.");
    expect(segmentInWords(EMPTY)).toBe("Nobody is in it yet.");
  });
});

describe("two people's changes of a segment", () => {
  const mine = { ...beta, description: "Mine", include: ["bob", "cleo"] };
  const theirs = { ...beta, description: "Theirs", include: ["ada", "bob", "eve"], exclude: [] };
  it("go together in lists, and are chosen in single fields", () => {
    expect(contested(beta, mine, theirs)).toEqual(["description"]);
    expect(merged(beta, mine, theirs, new Set())).toEqual({
      ...beta,
      description: "Mine",
      include: ["bob", "eve", "cleo"],
      exclude: [],
    });
    expect(merged(beta, mine, theirs, new Set(["description"])).description).toBe("Theirs");
  });
  it("are not contested where only one has changed a field, or both to the same", () => {
    expect(contested(beta, { ...beta, when: [] }, theirs)).toEqual([]);
    expect(contested(beta, theirs, theirs)).toEqual([]);
  });
});
