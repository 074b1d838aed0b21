import { describe, expect, it } from "vitest";
import { countSet, exportUrl, type Filters, filtersOf, NO_FILTERS, queryOf, searchOf } from "./filters";

const ALL = { app: null, flag: null };
const SOME: Filters = {
  ...NO_FILTERS,
  q: "new-check edi",
  kind: "flag",
  actor: "editor@example.org",
  app: "shop",
  from: "2026-11-22T10:00:00.000Z",
  hideSteps: false,
};

describe("filters", () => {
  it("come back out of the address that they were written to", () => {
    expect(filtersOf(searchOf(SOME))).toEqual(SOME);
    expect(filtersOf(searchOf(NO_FILTERS))).toEqual(NO_FILTERS);
  });

  it("leave an address clean where nothing is set", () => {
    expect(searchOf(NO_FILTERS).toString()).toBe("");
  });

  it("do not pass on times that are none", () => {
    expect(filtersOf(new URLSearchParams("from=yesterday&to=2026-11-22")).from).toBe("");
    expect(filtersOf(new URLSearchParams("from=yesterday&to=2026-11-22")).to).toBe("2026-11-22");
  });

  it("are asked under the API's names, without what the path says", () => {
    expect(queryOf(SOME, ALL)).toEqual({
      q: "new-check edi",
      kind: "flag",
      actor: "editor@example.org",
      app: "shop",
      from: "2026-11-22T10:00:00.000Z",
      hide_steps: false,
    });
    expect(queryOf(SOME, { app: "shop", flag: null })).not.toHaveProperty("app");
    expect(queryOf({ ...SOME, key: "x" }, { app: "shop", flag: "x" })).not.toHaveProperty("key");
  });

  it("are exported with the app and the flag of the path", () => {
    expect(exportUrl(NO_FILTERS, { app: "shop", flag: "new-checkout" }, "csv")).toBe(
      "/api/v1/log/export?kind=flag%2Ccircuit&app=shop&key=new-checkout&hide_steps=true&format=csv",
    );
    expect(exportUrl(SOME, ALL, "jsonl")).toContain("app=shop");
  });

  it("are counted without what the path says", () => {
    expect(countSet(SOME, ALL)).toBe(5);
    expect(countSet(SOME, { app: "shop", flag: null })).toBe(4);
  });
});
