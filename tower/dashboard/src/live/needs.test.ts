import { describe, expect, it } from "vitest";
import { subscriptionFor } from "./needs";

describe("subscriptionFor", () => {
  it("follows every app, the log and the sidecars without any need", () => {
    expect(subscriptionFor([])).toEqual({
      apps: "*",
      log: true,
      sidecars: true,
      snapshot: false,
      flags: [],
      refresh_ms: null,
      points: null,
    });
  });

  it("puts all needs together, each flag once, as often as the most impatient wants", () => {
    const wanted = subscriptionFor([
      { refresh: ["shop.b"], points: ["shop.b", "shop.a"], everyMs: 5000 },
      { refresh: ["shop.b", "shop.c"] },
      { points: ["shop.a"], everyMs: 2000 },
    ]);
    expect(wanted.flags).toEqual(["shop.b", "shop.c"]);
    expect(wanted.refresh_ms).toBe(1000);
    expect(wanted.points).toEqual({ flags: ["shop.a", "shop.b"], every_ms: 2000 });
  });

  it("wants points every second where nobody says otherwise, and ignores the pace of who wants none", () => {
    expect(subscriptionFor([{ points: ["shop.a"] }]).points?.every_ms).toBe(1000);
    expect(subscriptionFor([{ points: ["shop.a"], everyMs: 5000 }, { everyMs: 1000 }]).points?.every_ms).toBe(5000);
  });

  it("is the same text for the same needs in another order, so that nothing is sent again", () => {
    const one = subscriptionFor([{ points: ["shop.a"] }, { points: ["shop.b"] }]);
    const other = subscriptionFor([{ points: ["shop.b"] }, { points: ["shop.a"] }]);
    expect(JSON.stringify(one)).toBe(JSON.stringify(other));
  });

  it("stays within Tower's bounds", () => {
    const many = Array.from({ length: 600 }, (_, index) => `many.f${index}`);
    const wanted = subscriptionFor([{ refresh: many, points: many }]);
    expect(wanted.flags).toHaveLength(20);
    expect(wanted.points?.flags).toHaveLength(500);
  });
});
