import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { App } from "@/features/apps/api";
import { aFlag } from "../aFlag.test-data";
import { bodyOf, CIRCUIT, copyOf, newDraft } from "./newFlag";

const app = (defaults: App["defaults"]): App => ({
  key: "shop",
  name: "Shop",
  description: "",
  service: null,
  environment: null,
  defaults,
  requires_reason: false,
  archived_at: null,
  version: 1,
  created_at: "2026-11-29T10:00:00.000Z",
  updated_at: "2026-11-29T10:00:00.000Z",
});

test("the circuit of a new flag is the one that Tower's description has", () => {
  const schema = readFileSync(new URL("../../../api/schema.d.ts", import.meta.url), "utf8");
  const create = schema.slice(schema.indexOf("FlagCreate: {"));
  const written = /@default (\{[\s\S]*?)\n\s*\*\//.exec(create)?.[1] ?? "";
  const described = JSON.parse(written.replace(/^\s*\* ?/gm, "")) as Record<string, unknown>;
  const { reset_generation: _, ...settings } = CIRCUIT;
  expect(described).toMatchObject(settings);
});

describe("a new flag", () => {
  test("is as the app's defaults have it, and owned by its maker", () => {
    const draft = newDraft(
      app({ tags: ["shop"], rollout: 5, circuit: { error_threshold: 20, recovery: { initial: 1 } } }),
      "ada",
    );
    expect(draft).toMatchObject({ tags: ["shop"], rollout: 5, owner: "ada", active: false });
    expect(draft.circuit).toMatchObject({
      error_threshold: 20,
      min_calls: 10,
      recovery: { initial: 1, delay_ms: 30_000 },
    });
    expect(newDraft(app({ owner: "payments" }), "ada").owner).toBe("payments");
    expect(newDraft(app({ circuit: null }), null).circuit).toBeNull();
    expect(newDraft(app({ circuit: { recovery: null } }), null).circuit?.recovery).toBeNull();
    expect(newDraft(app({ variants: null, split: null }), null).variants).toEqual({ on: true, off: false });
  });
  test("is sent without what only Tower gives", () => {
    const body = bodyOf("new-checkout", newDraft(app({}), null));
    expect(body).toMatchObject({ key: "new-checkout", name: null, salt: null, circuit: { error_threshold: 50 } });
    expect(body.circuit).not.toHaveProperty("reset_generation");
    expect(bodyOf("a", { ...newDraft(app({}), null), circuit: null }).circuit).toBeNull();
  });
  test("that is a copy is off and has users of its own", () => {
    const copy = copyOf(aFlag({ rollout: 25, active: true }));
    expect(copy).toMatchObject({ rollout: 25, active: false, salt: "", name: "New checkout (copy)" });
    expect(copyOf(aFlag({ salt: "shared" })).salt).toBe("shared");
  });
});
