import type { Flag } from "@/features/flags/api";

type Fields = Partial<Omit<Flag, "state">> & {
  settled?: Flag["state"]["settled"];
  percentage?: number;
  arrived?: number;
};

/** A flag for tests, as Tower shows it. */
export function aFlag({ settled = "on", percentage = 100, arrived = 1, ...fields }: Fields = {}): Flag {
  return {
    app: "shop",
    key: "new-checkout",
    name: "New checkout",
    description: "",
    tags: [],
    owner: null,
    lifetime: "permanent",
    expected_end: null,
    archived_at: null,
    active: true,
    type: "boolean",
    variants: { on: true, off: false },
    off_variant: "off",
    split: [{ variant: "on", weight: 1 }],
    bucket_by: null,
    requires: [],
    metadata: {},
    rollout: 100,
    salt: "new-checkout",
    allow: [],
    deny: [],
    rules: [],
    circuit: {
      forced_open: false,
      reset_generation: 0,
      window_ms: 10_000,
      long_window_ms: 1_800_000,
      min_calls: 10,
      confidence: 0.9999,
      error_threshold: 50,
      failure_statuses: ["5xx"],
      slow_call_ms: null,
      slow_threshold: null,
      recovery: {
        delay_ms: 30_000,
        max_delay_ms: 600_000,
        initial: 10,
        increment: 10,
        interval_ms: 5_000,
        profile: "linear",
      },
      local_guard: null,
    },
    version: 1,
    created_at: "2026-11-29T10:00:00.000Z",
    updated_at: "2026-11-29T10:00:00.000Z",
    warnings: [],
    ...fields,
    state: {
      state: settled,
      word: "",
      settled,
      sentence: "",
      parts: [],
      circuit: {
        state: settled === "open" || settled === "recovering" ? settled : "closed",
        percentage,
        forced_open: settled === "held_off",
        since: null,
        next: null,
        trips: 0,
        reason: null,
        last_opening: null,
        as_of: null,
      },
      arrived: { arrived, of: arrived, missing: [], changed_at: "2026-11-29T10:00:00.000Z" },
      published: true,
    },
  };
}
