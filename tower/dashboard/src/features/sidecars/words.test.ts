import { describe, expect, it } from "vitest";
import type { Sidecar } from "./api";
import { byUrgency, some, summary, versionsOf } from "./words";

const NOW = Date.parse("2026-11-29T14:00:00Z");

function sidecar(instance: string, over: Partial<Sidecar> = {}): Sidecar {
  return {
    app: "shop",
    instance,
    status: "current",
    host: "vm",
    version: "0.1.0",
    started_at: "2026-11-29T13:00:00Z",
    last_heard_at: "2026-11-29T13:59:20Z",
    silent_ms: 0,
    revision: 3,
    age_ms: 500,
    source: "jetstream",
    listeners: [],
    route_flags: [],
    route_flags_count: 0,
    refused: [],
    refused_count: 0,
    ...over,
  };
}

const many = (number: number) => Array.from({ length: number }, (_, index) => sidecar(`cart-${index + 10}`));

describe("summary", () => {
  it.each<[string, Sidecar[]]>([
    ["The one sidecar is up to date.", many(1)],
    ["All 12 sidecars are up to date.", many(12)],
    [
      "11 of 12 are up to date; cart-7 has been silent for 40 s.",
      [...many(11), sidecar("cart-7", { status: "silent" })],
    ],
    ["1 of 2 is up to date; cart-7 is behind.", [...many(1), sidecar("cart-7", { status: "behind" })]],
    [
      "0 of 3 are up to date; 2 are silent, cart-7 for the longest: 5 min; cart-9 is behind.",
      [
        sidecar("cart-8", { status: "silent" }),
        sidecar("cart-7", { status: "silent", last_heard_at: "2026-11-29T13:54:30Z" }),
        sidecar("cart-9", { status: "behind" }),
      ],
    ],
    [
      "All 2 sidecars are up to date; cart-7 cannot read 1 flag.",
      [...many(1), sidecar("cart-7", { refused_count: 1 })],
    ],
  ])("%s", (words, sidecars) => expect(summary(sidecars, NOW)).toBe(words));
});

it("puts those first that lag", () => {
  const sidecars = [
    sidecar("d"),
    sidecar("c", { refused_count: 2 }),
    sidecar("b", { status: "behind" }),
    sidecar("e", { app: "clinic" }),
    sidecar("a", { status: "silent" }),
  ];
  expect(byUrgency(sidecars).map(({ instance }) => instance)).toEqual(["a", "b", "c", "e", "d"]);
});

it("counts versions", () => {
  expect(versionsOf([sidecar("a", { version: "0.0.9" }), ...many(2)])).toEqual([
    ["0.1.0", 2],
    ["0.0.9", 1],
  ]);
});

it("names some", () => {
  expect(some(["a", "b"], 2)).toBe("a, b");
  expect(some(["a", "b", "c"], 40, 2)).toBe("a, b and 38 more");
});
