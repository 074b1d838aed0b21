import { describe, expect, it } from "vitest";
import type { Schemas } from "@/api/client";
import { arrivedIn, byDay } from "./pages";

const entry = (id: number, at = "2026-11-22T12:00:00Z") => ({ id, at }) as Schemas["EntryOut"];
const page = (ids: number[], next: string | null = null) => ({ entries: ids.map((id) => entry(id)), next });
const pages = (...all: ReturnType<typeof page>[]) => ({ pages: all, pageParams: all.map(() => undefined) });
const ids = (found: ReturnType<typeof arrivedIn>) =>
  found === null || found === "gap" ? found : found.pages.map((each) => each.entries.map(({ id }) => id));

describe("arrivedIn", () => {
  it("puts new entries in front", () => {
    expect(ids(arrivedIn(pages(page([5, 4], "4"), page([3])), page([7, 6, 5], "5")))).toEqual([[7, 6, 5, 4], [3]]);
  });

  it("leaves the pages alone where nothing is new", () => {
    expect(arrivedIn(pages(page([5, 4])), page([5, 4]))).toBeNull();
    expect(arrivedIn(pages(page([])), page([]))).toBeNull();
  });

  it("knows when something may be missing in between", () => {
    expect(arrivedIn(pages(page([5])), page([9, 8], "8"))).toBe("gap");
    expect(ids(arrivedIn(pages(page([])), page([2, 1])))).toEqual([[2, 1]]);
  });
});

describe("byDay", () => {
  it("keeps the order, also where a transition of the day before comes late", () => {
    const found = byDay([
      entry(4, "2026-11-23T12:00:00Z"),
      entry(3, "2026-11-22T12:00:00Z"),
      entry(2, "2026-11-23T11:59:00Z"),
      entry(1, "2026-11-22T11:00:00Z"),
    ]);
    expect(found.map((day) => day.entries.map(({ id }) => id))).toEqual([[4], [3, 2, 1]]);
  });
});
