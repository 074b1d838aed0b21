import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LIMITS, type Limited, USUAL, USUAL_GUARD, USUAL_RECOVERY } from "./limits";

const page = readFileSync(new URL("../../../../../../../docs/circuit/settings.md", import.meta.url), "utf-8");
const rows = new Map(
  [...page.matchAll(/^\| `([a-z_.]+)` \| (.+?) \| (.*?) \| .+ \|$/gm)].map(
    ([, name = "", usual = "", range = ""]) => [name, { usual, range }] as const,
  ),
);
const numberIn = (text: string) => Number(text.replaceAll(",", ""));

function usualOf(name: string): unknown {
  const [group, field = ""] = name.split(".");
  if (group === "recovery" && field !== "") return USUAL_RECOVERY[field as keyof typeof USUAL_RECOVERY];
  if (group === "local_guard" && field !== "") return USUAL_GUARD[field as keyof typeof USUAL_GUARD];
  return USUAL[name as keyof typeof USUAL];
}

describe("the settings' page", () => {
  it.each(Object.keys(LIMITS) as Limited[])("has the same default and range for %s", (name) => {
    const row = rows.get(name);
    const usual = row?.usual.replaceAll("`", "");
    expect(usual === "null" ? null : numberIn(usual ?? "")).toBe(usualOf(name));
    const [from = "", to = ""] = (row?.range ?? "").replace(/ (%|ms)$/, "").split(" to ");
    // Two of them begin at another setting; the lowest that this may have counts then.
    const other = /^`(\w+)`$/.exec(from)?.[1];
    const lowest = other === undefined ? numberIn(from) : LIMITS[(name.replace(/\w+$/, "") + other) as Limited].from;
    expect({ from: lowest, to: numberIn(to) }).toEqual(LIMITS[name]);
  });

  it("has the other defaults", () => {
    expect(rows.get("failure_statuses")?.usual).toBe('`["5xx"]`');
    expect(rows.get("recovery.profile")?.usual).toBe("`linear`");
    expect(rows.get("local_guard")?.usual).toBe("`null`");
  });
});
