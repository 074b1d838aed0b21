import { describe, expect, it } from "vitest";
import { askSnippets } from "./askSnippets";
import { PLACEHOLDERS, runSnippets } from "./snippets";

const KEY = "tsk.shop.v9svt7s1.secret";

describe("runSnippets", () => {
  it("have the key where it belongs, and never in the sidecar's file", () => {
    const withKey = Object.fromEntries(runSnippets("shop", KEY, "pay").map(({ name, code }) => [name, code]));
    expect(withKey.Shell).toContain(`TAILSLIDE_SDK_KEY=${KEY} tailslide sidecar`);
    expect(withKey["Docker Compose"]).toContain(`TAILSLIDE_SDK_KEY: ${KEY}`);
    expect(withKey.Kubernetes).toContain(`sdk-key: ${KEY}`);
    expect(withKey["sidecar.yaml"]).not.toContain(KEY);
    expect(withKey["sidecar.yaml"]).toContain("flag: pay");
  });

  it("mark its place without one", () => {
    const without = runSnippets("shop", null, "pay").map(({ code }) => code);
    expect(without.join("\n")).toContain(PLACEHOLDERS.key);
    expect(without.join("\n")).not.toContain("tsk.");
  });

  it("name things as Kubernetes allows it", () => {
    const manifests = runSnippets("my_shop", KEY, "pay").find(({ name }) => name === "Kubernetes")?.code ?? "";
    expect(manifests).toContain("name: my-shop-tailslide");
    expect(manifests).toContain("{name: TAILSLIDE_APP, value: my_shop}");
  });
});

describe("askSnippets", () => {
  it("ask the sidecar on this machine for the flag, in every language", () => {
    for (const { name, code } of askSnippets("pay")) {
      expect(code, name).toContain("pay");
      expect(code, name).toContain("http://127.0.0.1:4141");
    }
  });

  it("take the clients from a checkout while none is published", () => {
    const clients = askSnippets("pay").filter(({ install }) => install !== undefined);
    expect(clients.map(({ name }) => name)).toEqual(["Python", "JavaScript", "Go", "Ruby", "Java", "C#"]);
    for (const { name, needs, install } of clients) {
      expect(needs, name).toContain("not published yet");
      expect(install, name).toContain("../tailslide/sdk-thin/");
    }
  });
});
