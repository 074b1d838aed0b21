"""A good value of each wire contract, as JSON has it, for tests that change something about it."""

import copy
from typing import Any

import orjson

# The values as the design gives them, and the local guard.
RULESET: dict[str, Any] = {
    "schema": 2, "app": "checkout", "key": "new-checkout", "version": 12, "active": True,
    "rollout": 25.0, "salt": "new-checkout", "allow": ["u1"], "deny": [],
    "rules": [{"when": [{"attribute": "country", "operator": "in", "values": ["DE"]}], "rollout": 100.0}],
    "circuit": {
        "forced_open": False, "reset_generation": 3, "window_ms": 10000, "long_window_ms": 600000, "min_calls": 10,
        "confidence": 0.95, "error_threshold": 50.0, "failure_statuses": ["5xx"],
        "slow_call_ms": 500, "slow_threshold": 80.0,
        "recovery": {"delay_ms": 30000, "max_delay_ms": 600000, "initial": 10.0, "increment": 10.0,
                     "interval_ms": 5000, "profile": "linear"},
        "local_guard": {"consecutive_failures": 3, "max_ms": 1500},
    },
    "updated_at": "2026-11-22T10:00:00Z",
}  # fmt: skip
# All that schema 2 adds.
WHOLE_RULESET: dict[str, Any] = {
    "schema": 2, "app": "checkout", "key": "Theme.new", "version": 12, "active": True, "rollout": 25.0, "salt": "theme",
    "type": "string", "variants": {"blue": "#00f", "green": "#0f0", "red": "#f00"}, "off_variant": "blue",
    "split": [{"variant": "green", "weight": 3}, {"variant": "blue", "weight": 1}],
    "bucket_by": "company", "requires": [{"flag": "new-api", "variants": ["v2"]}, {"flag": "Ads", "variants": None}],
    "metadata": {"ticket": "SHOP-12", "cost": 1.5, "owned": True, "team": 7},
    "allow": ["u1"], "deny": [],
    "rules": [
        {"when": [{"attribute": "country", "operator": "in", "values": ["DE"]}], "rollout": 50.0,
         "split": [{"variant": "red", "weight": 1}], "name": "germany"},
        {"when": [{"attribute": "plan", "operator": "in", "values": ["pro"]}], "rollout": 100.0},
    ],
    "circuit": None, "updated_at": "2026-11-22T10:00:00Z",
}  # fmt: skip
SEGMENT: dict[str, Any] = {
    "schema": 1, "app": "checkout", "key": "Beta.users", "version": 3, "include": ["u1", "u2"], "exclude": ["u3"],
    "when": [{"attribute": "country", "operator": "in", "values": ["DE"]}], "updated_at": "2026-11-22T10:00:00Z",
}  # fmt: skip
CIRCUIT: dict[str, Any] = {
    "schema": 1, "state": "recovering", "percentage": 20.0, "trips": 2, "generation": 9, "reset_generation": 3,
    "since_ms": 1795363190302, "next_ms": 1795363195302,
    "reason": {"rule": "error_rate", "observed": 62.0, "lower_bound": 53.1, "threshold": 50.0, "calls": 141,
               "window_ms": 10000},
}  # fmt: skip
EVENT: dict[str, Any] = {
    "schema": 1, "app": "checkout", "flag": "new-checkout", "signal": "breach", "at_ms": 1795363190302,
    "before": CIRCUIT | {"state": "closed", "percentage": 100.0},
    "after": CIRCUIT | {"state": "open", "percentage": 0.0},
}  # fmt: skip
LEASE: dict[str, Any] = {"schema": 1, "worker": "host-1a2b3c", "since_ms": 1795363190302}
PRESENCE: dict[str, Any] = {
    "schema": 1, "app": "checkout", "instance": "pay-1a2b3c", "host": "pay", "version": "0.1.0",
    "started_ms": 1795363190302, "revision": 7, "revision_ms": 1795363190402, "age_ms": 120, "source": "jetstream",
    "listeners": ["127.0.0.1:4141", "127.0.0.1:4140"], "route_flags": ["new-checkout"], "route_flags_count": 1,
    "refused": [], "refused_count": 0,
}  # fmt: skip
MARK: dict[str, Any] = {"schema": 1, "at_ms": 1795363190302, "keys": 12}
CLAIM: dict[str, Any] = {"schema": 1, "database": "3f2a", "comparisons": 7, "address": "127.0.0.1:5432/flags"}


REMOVED = object()


def changed(value: dict[str, Any], path: list[str | int], new: object) -> bytes:
    """Return the JSON of `value` with the field at `path` replaced, or removed."""
    copied = copy.deepcopy(value)
    inner: Any = copied
    for part in path[:-1]:
        inner = inner[part]
    if new is REMOVED:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return orjson.dumps(copied)
