import { describe, expect, it } from "vitest";
import type { Flag } from "../api";
import { EVERYTHING, effectiveRollout, filtered, linesOf, searchOf, sorted, type View, viewOf } from "./filter";

function flag(key: string, more: Record<string, unknown> = {}): Flag {
  const { settled = "on", state = settled, percentage = 100, ...fields } = more;
  return {
    app: "shop",
    key,
    name: key,
    description: "",
    tags: [],
    owner: null,
    rollout: 100,
    archived_at: null,
    updated_at: "2026-11-29T00:00:00Z",
    state: { state, settled, circuit: { percentage }, arrived: { arrived: 1, of: 1 } },
    ...fields,
  } as unknown as Flag;
}

const NOWHERE = new Map<string, string | null>();
const nothing = () => undefined;
const keys = (flags: readonly Flag[]) => flags.map(({ key }) => key);
const view = (some: Partial<View>): View => ({ ...EVERYTHING, ...some });

describe("the view in the address", () => {
  it("is nothing where the list is as it is by itself", () => {
    expect(searchOf(EVERYTHING).toString()).toBe("");
    expect(viewOf(new URLSearchParams())).toEqual(EVERYTHING);
  });

  it("comes back as it was", () => {
    const wanted = view({
      text: "pay now",
      app: "shop",
      state: "held_off",
      sort: "errors",
      descending: true,
      grouped: true,
    });
    expect(viewOf(new URLSearchParams(searchOf(wanted).toString()))).toEqual(wanted);
  });

  it("ignores what it does not know", () => {
    expect(viewOf(new URLSearchParams("state=broken&sort=-colour&group=planet"))).toEqual({
      ...EVERYTHING,
      descending: true,
    });
  });
});

describe("filtered", () => {
  it("wants each word somewhere", () => {
    const flags = [flag("new-checkout", { tags: ["web"], owner: "ada" }), flag("search", { owner: "ada" })];
    expect(keys(filtered(flags, view({ text: "ADA check" }), NOWHERE))).toEqual(["new-checkout"]);
  });

  it("shows archived flags only where they are asked for", () => {
    const flags = [flag("old", { archived_at: "2026-01-01T00:00:00Z" }), flag("new")];
    expect(keys(filtered(flags, EVERYTHING, NOWHERE))).toEqual(["new"]);
    expect(keys(filtered(flags, view({ state: "archived" }), NOWHERE))).toEqual(["old"]);
  });

  it("finds a flag that arrives by what it is settled as, too", () => {
    const flags = [flag("moving", { settled: "off", state: "arriving" }), flag("on")];
    expect(keys(filtered(flags, view({ state: "off" }), NOWHERE))).toEqual(["moving"]);
    expect(keys(filtered(flags, view({ state: "arriving" }), NOWHERE))).toEqual(["moving"]);
  });

  it("knows the environments of apps", () => {
    const flags = [flag("here"), flag("there", { app: "clinic" })];
    const environments = new Map([["shop", "production"]]);
    expect(keys(filtered(flags, view({ environment: "production" }), environments))).toEqual(["here"]);
  });
});

describe("sorted", () => {
  it("puts first what needs attention, then goes by app and key", () => {
    const flags = [
      flag("b"),
      flag("a", { settled: "off" }),
      flag("held", { settled: "held_off" }),
      flag("open", { settled: "open" }),
      flag("back", { settled: "recovering" }),
      flag("z", { app: "clinic" }),
    ];
    expect(keys(sorted(flags, EVERYTHING, nothing))).toEqual(["open", "back", "held", "z", "a", "b"]);
  });

  it("keeps what is not known last in both directions", () => {
    const flags = [flag("quiet"), flag("busy"), flag("slow")];
    const calls: Record<string, number> = { "shop.busy": 9, "shop.slow": 1 };
    const measured = (id: string) => ({ callsPerS: calls[id] ?? null, errorRate: null });
    expect(keys(sorted(flags, view({ sort: "calls", descending: true }), measured))).toEqual(["busy", "slow", "quiet"]);
    expect(keys(sorted(flags, view({ sort: "calls" }), measured))).toEqual(["slow", "busy", "quiet"]);
  });

  it("reads numbers in keys as numbers", () => {
    expect(keys(sorted([flag("flag-10"), flag("flag-9")], EVERYTHING, nothing))).toEqual(["flag-9", "flag-10"]);
  });
});

it("effectiveRollout is what users get now", () => {
  expect(effectiveRollout(flag("a", { rollout: 80, settled: "recovering", percentage: 25 }))).toBe(20);
  expect(effectiveRollout(flag("a", { rollout: 80, settled: "open" }))).toBe(0);
  expect(effectiveRollout(flag("a", { rollout: 80 }))).toBe(80);
});

it("linesOf puts each app's flags under its heading, in their order", () => {
  const flags = [flag("open", { settled: "open" }), flag("x", { app: "clinic" }), flag("a")];
  expect(linesOf(flags, true).map((line) => (line.kind === "app" ? line : line.flag.key))).toEqual([
    { kind: "app", app: "clinic", flags: 1, open: 0 },
    "x",
    { kind: "app", app: "shop", flags: 2, open: 1 },
    "open",
    "a",
  ]);
});
