import { describe, expect, it } from "vitest";
import { addedUp, answersInWords, countedAs } from "./answered";

describe("answers of the last hour", () => {
  it("are added up, and gaps are not zero", () => {
    const answered = addedUp({ variants: { on: [1, null, 2], off: [null, null] }, rules: { staff: [4, null] } });
    expect(answered).toEqual({ variants: { on: 3 }, rules: { staff: 4 }, all: 3 });
    expect(answersInWords(answered.variants.off)).toBe("No answers in the last hour");
    expect(answersInWords(answered.variants.on)).toBe("3 answers in the last hour");
  });
  it("belong to a rule by its name, or by its saved place", () => {
    const saved = [
      { when: [], rollout: 1, name: null },
      { when: [], rollout: 2, name: "staff" },
    ];
    expect(countedAs({ when: [], rollout: 99, name: "staff" }, saved)).toBe("staff");
    expect(countedAs({ when: [], rollout: 1, name: null }, saved)).toBe("1");
    expect(countedAs({ when: [], rollout: 3, name: null }, saved)).toBeNull();
    expect(countedAs({ when: [], rollout: 3, name: "new" }, saved)).toBeNull();
  });
});
