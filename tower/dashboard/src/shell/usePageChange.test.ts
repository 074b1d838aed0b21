import { expect, it } from "vitest";
import { pageOf } from "./usePageChange";

it.each([
  ["/", "/"],
  ["/apps/shop/flags", "/apps/shop/flags"],
  ["/apps/shop/flags/search", "/apps/shop/flags/search"],
  ["/apps/shop/flags/search/circuit", "/apps/shop/flags/search"],
  ["/settings/users", "/settings"],
  ["/log", "/log"],
])("%s belongs to the page %s", (pathname, page) => expect(pageOf(pathname)).toBe(page));
