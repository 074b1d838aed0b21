import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Schemas } from "@/api/client";
import { LiveCache } from "./cache";
import type { ServerMessage } from "./connection";

type Flag = Schemas["FlagOut"];

const flag = (key: string, version = 1, over: Partial<Flag> = {}): Flag =>
  ({
    app: "shop",
    key,
    version,
    created_at: "2026-01-01T00:00:00Z",
    archived_at: null,
    state: { settled: "on" },
    ...over,
  }) as Flag;

const list = (flags: Flag[], next: string | null = null) => ({ pages: [{ flags, next }], pageParams: [""] });

const said = (each: Flag): ServerMessage =>
  ({ type: "flag", app: each.app, key: each.key, flag: each }) as unknown as ServerMessage;

const logged = (kind: string): ServerMessage =>
  ({ type: "log", cursor: "1", entry: { subject: { kind, app: "shop", key: "a" } } }) as unknown as ServerMessage;

let queries: QueryClient;
let cache: LiveCache;

const flagsIn = (key: unknown[]) => queries.getQueryData<ReturnType<typeof list>>(key)?.pages[0]?.flags;
const isStale = (key: unknown[]) => queries.getQueryState(key)?.isInvalidated;

beforeEach(() => {
  vi.useFakeTimers();
  queries = new QueryClient();
  cache = new LiveCache(queries);
  cache.take({ type: "subscribed", cursor: "1", resync: null });
  queries.setQueryData(["flags", "shop", "in use"], list([flag("a"), flag("b")]));
  queries.setQueryData(["flags", null, "in use"], list([flag("a"), flag("b"), flag("c", 1, { app: "clinic" })]));
  queries.setQueryData(["flags", "clinic", "in use"], list([flag("c", 1, { app: "clinic" })]));
});

afterEach(() => {
  cache.close();
  vi.useRealTimers();
});

describe("flags", () => {
  it("go into the lists and to their own page", () => {
    const moved = flag("a", 1, { name: "moved" });
    cache.take(said(moved));
    expect(flagsIn(["flags", "shop", "in use"])?.[0]).toEqual(flag("a"));
    vi.advanceTimersByTime(100);
    expect(flagsIn(["flags", "shop", "in use"])).toEqual([moved, flag("b")]);
    expect(flagsIn(["flags", null, "in use"])?.[0]).toEqual(moved);
    expect(queries.getQueryData(["flag", "shop", "a"])).toEqual(moved);
  });

  it("leave alone what they are not about", () => {
    const before = queries.getQueryData(["flags", "clinic", "in use"]);
    cache.take(said(flag("a", 1, { name: "moved" })));
    vi.advanceTimersByTime(100);
    expect(queries.getQueryData(["flags", "clinic", "in use"])).toBe(before);
    expect(isStale(["flags", "clinic", "in use"])).toBe(false);
    expect(isStale(["flags", "shop", "in use"])).toBe(false);
  });

  it("come together: the last of several counts, and hundreds are carried over at once", () => {
    const told = vi.fn();
    const shop = queries.getQueryCache().find({ queryKey: ["flags", "shop", "in use"] });
    queries.getQueryCache().subscribe(({ query, type }) => query === shop && type === "updated" && told());
    for (let version = 2; version < 200; version++) cache.take(said(flag("a", version)));
    vi.advanceTimersByTime(100);
    expect(told).toHaveBeenCalledTimes(1);
    expect(flagsIn(["flags", "shop", "in use"])?.[0]?.version).toBe(199);
  });

  it("do not make up for what a list lacks: it is still read again when somebody looks", () => {
    cache.take(said(flag("new")));
    vi.advanceTimersByTime(100);
    cache.take(said(flag("a", 1, { name: "moved" })));
    vi.advanceTimersByTime(100);
    expect(flagsIn(["flags", "shop", "in use"])?.[0]?.name).toBe("moved");
    expect(isStale(["flags", "shop", "in use"])).toBe(true);
  });

  it("that are new have the lists read again that are about their app", () => {
    cache.take(said(flag("new")));
    vi.advanceTimersByTime(100);
    expect(isStale(["flags", "shop", "in use"])).toBe(true);
    expect(isStale(["flags", null, "in use"])).toBe(true);
    expect(isStale(["flags", "clinic", "in use"])).toBe(false);
  });

  it("that a list leaves out do not have it read again with each message", () => {
    queries.setQueryData(["flags", "shop", "on"], list([flag("b")]));
    cache.take(said(flag("a", 1, { name: "recovering" })));
    vi.advanceTimersByTime(100);
    expect(isStale(["flags", "shop", "on"])).toBe(false);
  });

  it("that a person has changed have the lists read again that leave them out", () => {
    queries.setQueryData(["flags", "shop", "on"], list([flag("b")]));
    cache.take(said(flag("a", 2)));
    vi.advanceTimersByTime(100);
    expect(isStale(["flags", "shop", "on"])).toBe(true);
    expect(isStale(["flags", "shop", "in use"])).toBe(false);
  });

  it("that are archived have all lists read again", () => {
    cache.take(said(flag("a", 2, { archived_at: "2026-11-29T00:00:00Z" })));
    vi.advanceTimersByTime(100);
    expect(isStale(["flags", "shop", "in use"])).toBe(true);
  });

  it("that are gone leave the lists", () => {
    queries.setQueryData(["flag", "shop", "a"], flag("a"));
    cache.take({ type: "flag", app: "shop", key: "a", flag: null });
    vi.advanceTimersByTime(100);
    expect(flagsIn(["flags", "shop", "in use"])).toEqual([flag("b")]);
    expect(isStale(["flag", "shop", "a"])).toBe(true);
  });

  it("that were overtaken by the answer to a change do not undo it", () => {
    queries.setQueryData(["flag", "shop", "a"], flag("a", 3));
    cache.take(said(flag("a", 2)));
    vi.advanceTimersByTime(100);
    expect(queries.getQueryData<Flag>(["flag", "shop", "a"])?.version).toBe(3);
  });

  it("that were made again start with a small version", () => {
    queries.setQueryData(["flag", "shop", "a"], flag("a", 3));
    cache.take(said(flag("a", 1, { created_at: "2026-02-02T00:00:00Z" })));
    vi.advanceTimersByTime(100);
    expect(queries.getQueryData<Flag>(["flag", "shop", "a"])?.version).toBe(1);
  });

  it("that need attention, or no longer do, have it looked at again, once a second at most", () => {
    queries.setQueryData(["status", null], { flags: [] });
    queries.setQueryData(["status", "clinic"], { flags: [] });
    const spy = vi.spyOn(queries, "invalidateQueries");
    cache.take(said(flag("a", 1, { name: "still on" })));
    vi.advanceTimersByTime(2000);
    expect(spy).not.toHaveBeenCalled();
    for (let each = 0; each < 9; each++) {
      cache.take(said(flag("a", 1, { name: `${each}`, state: { settled: "open" } as Flag["state"] })));
      vi.advanceTimersByTime(100);
    }
    expect(isStale(["status", null])).toBe(false);
    vi.advanceTimersByTime(1000);
    expect(isStale(["status", null])).toBe(true);
    expect(spy).toHaveBeenCalledTimes(1);
  });

  it("leave what needs attention alone while their states are the same", () => {
    queries.setQueryData(["status", null], { flags: [] });
    cache.take(said(flag("a", 2)));
    vi.advanceTimersByTime(2000);
    expect(isStale(["status", null])).toBe(false);
  });
});

describe("sidecars", () => {
  const sidecar = (instance: string, status = "current") => ({ app: "shop", instance, status });
  const KEY = ["sidecars", "shop"];
  const told = (instance: string, status: string | null): ServerMessage =>
    ({
      type: "sidecar",
      app: "shop",
      instance,
      sidecar: status === null ? null : sidecar(instance, status),
    }) as unknown as ServerMessage;

  beforeEach(() => {
    queries.setQueryData(KEY, {
      pages: [
        {
          sidecars: [sidecar("cart-1"), sidecar("cart-2")],
          next: null,
          listening: true,
          counts: { current: 2, behind: 0, silent: 0 },
        },
      ],
      pageParams: [""],
    });
  });

  const page = () => queries.getQueryData<{ pages: { sidecars: unknown[]; counts: unknown }[] }>(KEY)?.pages[0];

  it("change in their place, and are counted again", () => {
    cache.take(told("cart-2", "silent"));
    vi.advanceTimersByTime(100);
    expect(page()).toMatchObject({
      sidecars: [sidecar("cart-1"), sidecar("cart-2", "silent")],
      counts: { current: 1, behind: 0, silent: 1 },
    });
  });

  it("that have stopped are gone", () => {
    cache.take(told("cart-2", null));
    vi.advanceTimersByTime(100);
    expect(page()).toMatchObject({ sidecars: [sidecar("cart-1")], counts: { current: 1 } });
  });

  it("that are new have the list read again", () => {
    cache.take(told("cart-3", "current"));
    vi.advanceTimersByTime(100);
    expect(isStale(KEY)).toBe(true);
  });
});

describe("the log", () => {
  it.each([
    ["segment", ["segment", "shop", "staff"]],
    ["sdk_key", ["keys", "shop"]],
    ["webhook", ["webhooks", null]],
    ["user", ["users"]],
    ["session", ["sessions"]],
    ["invitation", ["invitations"]],
    ["link", ["links"]],
    ["token", ["tokens"]],
    ["app", ["apps"]],
    ["flag", ["versions", "shop", "a"]],
    ["flag", ["graph", "shop", "a", "1h"]],
    ["circuit", ["graph", "shop", "a", "1h"]],
  ])("an entry about a %s has %j read again, and the log", (kind, key) => {
    queries.setQueryData(key, {});
    queries.setQueryData(["log", {}], {});
    queries.setQueryData(["unrelated"], {});
    cache.take(logged(kind));
    vi.advanceTimersByTime(100);
    expect(isStale(key)).toBe(true);
    expect(isStale(["log", {}])).toBe(true);
    expect(isStale(["unrelated"])).toBe(false);
  });

  it.each(["flag", "circuit"])("an entry about a %s leaves alone the graphs of other flags", (kind) => {
    const others = [
      ["graph", "shop", "b", "1h"],
      ["graph", "clinic", "a", "1h"],
    ];
    for (const key of others) queries.setQueryData(key, {});
    cache.take(logged(kind));
    vi.advanceTimersByTime(100);
    for (const key of others) expect(isStale(key)).toBe(false);
  });
});

describe("a new connection", () => {
  it("that goes on where the last one ended leaves alone what was read", () => {
    cache.take({ type: "subscribed", cursor: "1", resync: null });
    expect(isStale(["flags", "shop", "in use"])).toBe(false);
  });

  it.each<ServerMessage>([
    { type: "subscribed", cursor: "1", resync: "cursor_too_old" },
    { type: "current", cursor: "1", resync: "too_many_flags" },
    { type: "resync", reason: "too_many_changes" },
  ])("that cannot has everything read again but the session: %j", (message) => {
    queries.setQueryData(["session"], {});
    cache.take(message);
    expect(isStale(["flags", "shop", "in use"])).toBe(true);
    expect(isStale(["session"])).toBe(false);
  });

  it("reads again what could not be read while Tower was away, and nothing else", async () => {
    const read = vi.fn(() => Promise.reject(new Error("away")));
    const other = vi.fn(() => Promise.resolve([]));
    const ends = [
      new QueryObserver(queries, { queryKey: ["apps"], queryFn: read, retry: false }).subscribe(() => undefined),
      new QueryObserver(queries, { queryKey: ["links"], queryFn: other }).subscribe(() => undefined),
    ];
    await vi.advanceTimersByTimeAsync(10);
    cache.take({ type: "subscribed", cursor: "1", resync: null });
    await vi.advanceTimersByTimeAsync(10);
    expect(read).toHaveBeenCalledTimes(2);
    expect(other).toHaveBeenCalledTimes(1);
    for (const end of ends) end();
  });
});
