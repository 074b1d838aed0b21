import { describe, expect, it } from "vitest";
import { nextPath } from "./next";

const asked = (next: string) => nextPath(`?${new URLSearchParams({ next })}`);

describe("nextPath", () => {
  it.each([
    "/apps/shop/flags/new-checkout",
    "/log?action=flag.changed&app=shop",
    "/apps/shop/flags/search/circuit?range=1h#settings",
    "/loginner",
  ])("leads back to %s", (next) => expect(asked(next)).toBe(next));

  it.each([
    "",
    "flags",
    "https://evil.example",
    "javascript:alert(1)",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/apps/../..//evil.example",
    "/%2e//evil.example",
    "/\u0000/evil.example",
    "/\u0085/evil.example",
    " //evil.example",
    "/login",
    "/login?next=/login",
    "/enter#tsu_1",
    "/api/v1/session/oidc",
    `/${"a".repeat(500)}`,
  ])("leads to the overview instead of %j", (next) => expect(asked(next)).toBe("/"));

  it("leads to the overview when nothing is asked for", () => {
    expect(nextPath("")).toBe("/");
    expect(nextPath("?other=1")).toBe("/");
  });

  it("takes the first of several", () => expect(nextPath("?next=/log&next=//evil.example")).toBe("/log"));

  it("keeps what is encoded", () => expect(asked("/log?q=a%2Fb%26c")).toBe("/log?q=a%2Fb%26c"));
});
