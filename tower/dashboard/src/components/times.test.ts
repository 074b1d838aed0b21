import { expect, it } from "vitest";
import { localMoment, utcMoment } from "./times";

const AT = new Date(2026, 10, 29, 14, 3, 40).getTime();

it("says the time of day of a moment of today, with the date for any other day", () => {
  expect(localMoment(AT, AT + 3_600_000)).toContain("2:03:40");
  expect(localMoment(AT, AT + 3_600_000)).not.toContain("2026");
  expect(localMoment(AT, AT + 86_400_000)).toContain("2026");
});

it("says the moment in UTC", () => {
  expect(utcMoment(Date.UTC(2026, 10, 29, 14, 3, 40, 999))).toBe("2026-11-29 14:03:40 UTC");
});
