import { describe, expect, it } from "vitest";
import { type Pressed, SHORTCUTS, ShortcutMatcher, written } from "./table";

const key = (name: string, more: Partial<Pressed> = {}): Pressed => ({
  key: name,
  mod: false,
  alt: false,
  typing: false,
  ...more,
});

describe("ShortcutMatcher", () => {
  it("knows single keys, and those with Ctrl", () => {
    const matcher = new ShortcutMatcher();
    expect(matcher.press(key("/"), 0)).toBe("search");
    expect(matcher.press(key("?"), 0)).toBe("help");
    expect(matcher.press(key("K", { mod: true }), 0)).toBe("commands");
    expect(matcher.press(key("f", { mod: true }), 0)).toBeNull();
  });

  it("knows two keys after another, and tells them from one", () => {
    const matcher = new ShortcutMatcher();
    expect(matcher.press(key("g"), 0)).toBeNull();
    expect(matcher.press(key("k"), 500)).toBe("go-keys");
    expect(matcher.press(key("k"), 600)).toBe("previous-row");
  });

  it("forgets the first key after a while, and after a key that does not follow it", () => {
    const matcher = new ShortcutMatcher();
    matcher.press(key("g"), 0);
    expect(matcher.press(key("k"), 5000)).toBe("previous-row");
    matcher.press(key("g"), 6000);
    expect(matcher.press(key("x"), 6100)).toBeNull();
    expect(matcher.press(key("o"), 6200)).toBeNull();
  });

  it("leaves text alone, but not what is pressed with Ctrl", () => {
    const matcher = new ShortcutMatcher();
    expect(matcher.press(key("c", { typing: true }), 0)).toBeNull();
    expect(matcher.press(key("k", { typing: true, mod: true }), 0)).toBe("commands");
    expect(matcher.press(key("t", { alt: true }), 0)).toBeNull();
  });
});

it("no shortcut hides another", () => {
  const all = Object.values(SHORTCUTS).map(({ keys }) => keys);
  expect(new Set(all).size).toBe(all.length);
  const firsts = all.filter((keys) => keys.includes(" ")).map((keys) => keys.charAt(0));
  expect(all.filter((keys) => firsts.includes(keys))).toEqual([]);
});

it("written is as keyboards have it", () => {
  const texts = (keys: string, mac: boolean) => written(keys, mac).map(({ text }) => text);
  expect(texts("mod+k", false)).toEqual(["Ctrl", "K"]);
  expect(texts("mod+k", true)).toEqual(["⌘", "K"]);
  expect(texts("g o", false)).toEqual(["g", "then", "o"]);
  expect(texts("enter", false)).toEqual(["Enter"]);
});
