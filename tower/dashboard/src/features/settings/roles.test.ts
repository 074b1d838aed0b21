import { describe, expect, it } from "vitest";
import { browserOf, passwordProblem, rolesInWords } from "./roles";

describe("rolesInWords", () => {
  it.each([
    [{ role: "admin", apps: {} }, "Admin of all apps"],
    [{ role: null, apps: {} }, "Nothing"],
    [{ role: "viewer", apps: { shop: "editor" } }, "Viewer of all apps; editor of shop"],
    [
      { role: null, apps: { d: "viewer", b: "viewer", a: "admin", c: "viewer" } },
      "Admin of a; viewer of b; viewer of c; 1 more",
    ],
  ])("%j", (roles, words) => expect(rolesInWords(roles)).toBe(words));
});

describe("passwordProblem", () => {
  it.each([
    ["", "12 more characters: a password has at least 12."],
    ["elevenchars", "1 more character: a password has at least 12."],
    ["twelve chars", null],
    ["🂡".repeat(12), null],
    ["a".repeat(257), "A password has at most 256 characters."],
    ["Ada@Example.org", "The e-mail address cannot be the password."],
  ])("%j", (password, problem) => expect(passwordProblem(password, "ada@example.org")).toBe(problem));
});

it("names browsers", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
  expect(browserOf(chrome)).toBe("Chrome on Linux");
  expect(browserOf(`${chrome} Edg/140.0`)).toBe("Edge on Linux");
  expect(browserOf("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0")).toBe(
    "Firefox on macOS",
  );
  expect(browserOf("curl/8.5.0")).toBe("curl/8.5.0");
  expect(browserOf("")).toBe("Unknown program");
});
