import type { Circuit } from "../../editing/draft";
import type { Recovery } from "../ramp";

/**
 * Defaults and ranges of a circuit's settings, as `docs/circuit/settings.md` has them; a test reads them there. Tower
 * decides what it takes: these are for saying so before it is asked.
 */

const DAY_MS = 86_400_000;

export interface Limits {
  from: number;
  to: number;
}

export const LIMITS = {
  error_threshold: { from: 0, to: 100 },
  slow_call_ms: { from: 1, to: DAY_MS },
  slow_threshold: { from: 0, to: 100 },
  "recovery.delay_ms": { from: 0, to: DAY_MS },
  "recovery.max_delay_ms": { from: 0, to: DAY_MS },
  "recovery.initial": { from: 0.001, to: 100 },
  "recovery.increment": { from: 0.001, to: 1000 },
  "recovery.interval_ms": { from: 100, to: DAY_MS },
  "local_guard.consecutive_failures": { from: 1, to: 1000 },
  "local_guard.max_ms": { from: 100, to: 600_000 },
  min_calls: { from: 1, to: 1_000_000 },
  confidence: { from: 0.5, to: 0.999999999 },
  window_ms: { from: 250, to: DAY_MS },
  long_window_ms: { from: 250, to: DAY_MS },
} as const satisfies Record<string, Limits>;

export type Limited = keyof typeof LIMITS;

export const USUAL_RECOVERY: Recovery = {
  delay_ms: 30_000,
  max_delay_ms: 600_000,
  initial: 10,
  increment: 10,
  interval_ms: 5_000,
  profile: "linear",
};

export const USUAL_GUARD = { consecutive_failures: 5, max_ms: 2_000 };

export const USUAL: Omit<Circuit, "reset_generation"> = {
  forced_open: false,
  error_threshold: 50,
  failure_statuses: ["5xx"],
  slow_call_ms: null,
  slow_threshold: null,
  recovery: USUAL_RECOVERY,
  local_guard: null,
  min_calls: 10,
  confidence: 0.9999,
  window_ms: 10_000,
  long_window_ms: 1_800_000,
};

/** What slow calls begin with when somebody lets them count; there is no default for these. */
export const FIRST_SLOW = { slow_call_ms: 1_000, slow_threshold: 30 };
