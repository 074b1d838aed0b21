"""Rulesets: what a team wants of a flag. Tower is their only writer.

Plain values that check themselves when they are made. Their JSON form is in `contracts`, what they decide in
`evaluation` and `circuit`.
"""

from dataclasses import dataclass, field

from tailslide_core.conditions import Condition
from tailslide_core.errors import ContractError
from tailslide_core.fields import MAX_INTEGER, is_integer, is_number, shown
from tailslide_core.naming import FlagId, check_key
from tailslide_core.outcomes import StatusSet
from tailslide_core.ramp import RampProfile

DAY_MS = 86_400_000


def check_number(name: str, value: float, low: float, high: float) -> None:
    """Raise `ContractError` on `name` unless `value` is a finite number and `low` ≤ value ≤ `high`."""
    if not is_number(value, low, high):
        raise ContractError(name, f"expected a number from {low:.9g} to {high:.9g}, got {shown(value, 40)}")


def check_integer(name: str, value: int, low: int, high: int) -> None:
    """Raise `ContractError` on `name` unless `value` is an integer and `low` ≤ value ≤ `high`."""
    if not is_integer(value, low, high):
        raise ContractError(name, f"expected an integer from {low} to {high}, got {shown(value, 40)}")


@dataclass(frozen=True, slots=True)
class Rule:
    """Users for whom all of `when` hold get `rollout` % instead of the flag's own."""

    when: tuple[Condition, ...]
    rollout: float

    def __post_init__(self) -> None:
        if not self.when:
            raise ContractError("when", "expected at least one condition, got none")
        check_number("rollout", self.rollout, 0, 100)


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a circuit lets users back in after it has opened."""

    delay_ms: int = 30_000
    """How long it stays open the first time; doubled at each further trip in a row."""
    max_delay_ms: int = 600_000
    initial: float = 10.0
    """Percentage of the first step."""
    increment: float = 10.0
    """Linear: percentage points a step. Exponential: percent of the percentage a step."""
    interval_ms: int = 5_000
    """Length of a step."""
    profile: RampProfile = RampProfile.LINEAR

    def __post_init__(self) -> None:
        check_integer("delay_ms", self.delay_ms, 0, DAY_MS)
        check_integer("max_delay_ms", self.max_delay_ms, 0, DAY_MS)
        if self.max_delay_ms < self.delay_ms:
            raise ContractError(
                "max_delay_ms", f"expected at least delay_ms ({self.delay_ms}), got {self.max_delay_ms}"
            )
        check_number("initial", self.initial, 0.001, 100)
        check_number("increment", self.increment, 0.001, 1_000)
        check_integer("interval_ms", self.interval_ms, 100, DAY_MS)


@dataclass(frozen=True, slots=True)
class LocalGuard:
    """When a sidecar stops sending to a feature by itself, before Aerobat has spoken."""

    consecutive_failures: int = 5
    """So many calls in a row that found no connection, or lost it before an answer had begun."""
    max_ms: int = 2_000
    """How long it sends nobody to the feature then, at most; after that it counts anew."""

    def __post_init__(self) -> None:
        check_integer("consecutive_failures", self.consecutive_failures, 1, 1_000)
        check_integer("max_ms", self.max_ms, 100, 600_000)


@dataclass(frozen=True, slots=True)
class CircuitSettings:
    """When a flag's circuit opens, and how it recovers. `docs/circuit/settings.md` says how to choose."""

    forced_open: bool = False
    reset_generation: int = 0
    """Raised by Tower when a person resets the circuit; an older circuit value counts as closed."""
    window_ms: int = 10_000
    long_window_ms: int = 1_800_000
    min_calls: int = 10
    confidence: float = 0.9999
    """One-sided, of the Wilson bound that must be above the threshold; the risk that is left, squared, is how likely
    chance may be at half the threshold."""
    error_threshold: float = 50.0
    failure_statuses: StatusSet = field(default_factory=lambda: StatusSet.parse(["5xx"]))
    slow_call_ms: int | None = None
    slow_threshold: float | None = None
    recovery: Recovery | None = field(default_factory=Recovery)
    """None: an open circuit waits for a person."""
    local_guard: LocalGuard | None = None

    def __post_init__(self) -> None:
        check_integer("reset_generation", self.reset_generation, 0, MAX_INTEGER)
        check_integer("window_ms", self.window_ms, 250, DAY_MS)
        check_integer("long_window_ms", self.long_window_ms, 250, DAY_MS)
        if self.long_window_ms < self.window_ms:
            raise ContractError(
                "long_window_ms", f"expected at least window_ms ({self.window_ms}), got {self.long_window_ms}"
            )
        check_integer("min_calls", self.min_calls, 1, 1_000_000)
        check_number("confidence", self.confidence, 0.5, 0.999999999)
        check_number("error_threshold", self.error_threshold, 0, 100)
        if (self.slow_call_ms is None) != (self.slow_threshold is None):
            missing, given = (
                ("slow_call_ms", "slow_threshold") if self.slow_call_ms is None else ("slow_threshold", "slow_call_ms")
            )
            raise ContractError(missing, f"expected a number, since {given} is set; set both or neither")
        if self.slow_call_ms is not None and self.slow_threshold is not None:
            check_integer("slow_call_ms", self.slow_call_ms, 1, DAY_MS)
            check_number("slow_threshold", self.slow_threshold, 0, 100)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """One flag as its team wants it. `rollout` is a percentage, 0 to 100; `updated_at` is RFC 3339, for people."""

    app: str
    key: str
    version: int
    active: bool
    rollout: float
    salt: str
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    circuit: CircuitSettings | None = None
    updated_at: str = ""

    def __post_init__(self) -> None:
        check_key("app", self.app)
        check_key("key", self.key)
        check_integer("version", self.version, 0, MAX_INTEGER)
        check_number("rollout", self.rollout, 0, 100)

    @property
    def flag_id(self) -> FlagId:
        """Return what names this flag on the wire."""
        return FlagId(self.app, self.key)
