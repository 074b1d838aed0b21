import { describe, expect, it } from "vitest";
import { reachInWords, rolloutChangeInWords, rolloutInWords } from "./words";

const at = (rollout: number, bucket_by: string | null = null) => ({ rollout, bucket_by, rules: [] });

describe("a rollout in words", () => {
  it("says who is in", () => {
    expect(rolloutInWords(at(25))).toBe("About 25% of users are in, always the same ones.");
    expect(rolloutInWords(at(0))).toBe("Nobody is in by the rollout; users on the allow list are.");
    expect(rolloutInWords(at(100))).toBe("Everybody is in.");
    expect(rolloutInWords({ ...at(25), rules: [{ when: [] }] })).toContain("of users whom no rule matches are in");
    expect(rolloutInWords(at(50, "company"))).toContain("values of company are in");
  });
  it("says what a change does", () => {
    expect(rolloutChangeInWords(at(25), at(50))).toBe("Users who are in stay in; about 25% of users come in.");
    expect(rolloutChangeInWords(at(50), at(20.1))).toContain("About 29.9% of users lose it");
    expect(rolloutChangeInWords(at(25), at(25))).toBeNull();
    expect(rolloutChangeInWords(at(25), at(25, "company"))).toContain("Others are in than now");
  });
  it("says how far it goes", () => {
    expect(reachInWords(12)).toBe("It goes to 12 sidecars at once.");
    expect(reachInWords(0)).toBe("No sidecar is connected now.");
  });
});
