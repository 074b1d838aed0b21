import { expect, it } from "vitest";
import { ServerClock } from "./clock";

const NOON = Date.parse("2026-11-29T12:00:00Z");

function clockAt(localMs: number): ServerClock {
  return new ServerClock(() => localMs);
}

it("is this machine's clock until Tower has said what it has", () => {
  const clock = clockAt(NOON);
  clock.heard(null);
  clock.heard("no date");
  expect(clock.now()).toBe(NOON);
});

it("leaves small differences alone, which the seconds of a Date header cannot tell from none", () => {
  const clock = clockAt(NOON + 1500);
  clock.heard(new Date(NOON).toUTCString());
  expect(clock.now()).toBe(NOON + 1500);
});

it("goes by Tower's clock where this machine's is off", () => {
  const clock = clockAt(NOON - 300_000);
  clock.heard(new Date(NOON).toUTCString());
  expect(clock.now()).toBe(NOON + 500);
});

it("comes back to this machine's clock once that was set right", () => {
  let localMs = NOON - 300_000;
  const clock = new ServerClock(() => localMs);
  clock.heard(new Date(NOON).toUTCString());
  localMs = NOON;
  clock.heard(new Date(NOON).toUTCString());
  expect(clock.now()).toBe(NOON);
});
