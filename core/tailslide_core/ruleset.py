"""Rulesets: what a team wants of a flag. Tower is their only writer.

Plain values that check themselves when they are made. Their JSON form is in `contracts`, what they decide in
`evaluation` and `circuit`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from tailslide_core.conditions import Condition
from tailslide_core.errors import ContractError
from tailslide_core.fields import MAX_INTEGER, is_integer, is_number, shown
from tailslide_core.naming import FlagId, check_app_key, check_flag_key
from tailslide_core.outcomes import StatusSet
from tailslide_core.ramp import RampProfile
from tailslide_core.variants import (
    ALL_ON,
    ON_OFF,
    Split,
    ValueType,
    Variant,
    check_split,
    check_variant,
    check_variants,
    is_exact_number,
)

DAY_MS = 86_400_000
MAX_REQUIREMENTS = 20
MAX_METADATA = 50
RESERVED_METADATA = frozenset(
    {"stale", "active", "circuit", "version", "rule", "disabled_by", "prerequisite", "prerequisite_reason"}
)
"""Names that the sidecar itself sets in the metadata of answers; Tower takes none of them as a flag's own."""


class Range(NamedTuple):
    """What a number may be, both ends included."""

    low: float
    high: float


class IntegerRange(NamedTuple):
    """What an integer may be, both ends included."""

    low: int
    high: int


PERCENT = Range(0, 100)
CONFIDENCE = Range(0.5, 0.999999999)
INITIAL = Range(0.001, 100)
INCREMENT = Range(0.001, 1_000)
DELAY_MS = IntegerRange(0, DAY_MS)
INTERVAL_MS = IntegerRange(100, DAY_MS)
WINDOW_MS = IntegerRange(250, DAY_MS)
SLOW_CALL_MS = IntegerRange(1, DAY_MS)
MIN_CALLS = IntegerRange(1, 1_000_000)
CONSECUTIVE_FAILURES = IntegerRange(1, 1_000)
GUARD_MS = IntegerRange(100, 600_000)


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
    """A rollout and a split for users for whom all of `when` hold. `rollout` is a percentage, 0 to 100.

    `split` None is the flag's. Answers and graphs show `name`; without one a rule is called by its place, from 1.
    """

    when: tuple[Condition, ...]
    rollout: float = 100.0
    split: Split | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if not self.when:
            raise ContractError("when", "expected at least one condition, got none")
        check_number("rollout", self.rollout, *PERCENT)
        if self.name is not None:
            check_flag_key("name", self.name)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A prerequisite: another flag of the app has to give the user one of `variants`.

    `variants` None is any but that flag's off variant.
    """

    flag: str
    variants: frozenset[str] | None = None

    def __post_init__(self) -> None:
        check_flag_key("flag", self.flag)
        if self.variants is None:
            return
        if not self.variants:
            raise ContractError("variants", "expected at least one variant, or null for any but the off variant")
        for variant in self.variants:
            check_flag_key("variants", variant)


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
        check_integer("delay_ms", self.delay_ms, *DELAY_MS)
        check_integer("max_delay_ms", self.max_delay_ms, *DELAY_MS)
        if self.max_delay_ms < self.delay_ms:
            raise ContractError(
                "max_delay_ms", f"expected at least delay_ms ({self.delay_ms}), got {self.max_delay_ms}"
            )
        check_number("initial", self.initial, *INITIAL)
        check_number("increment", self.increment, *INCREMENT)
        check_integer("interval_ms", self.interval_ms, *INTERVAL_MS)


@dataclass(frozen=True, slots=True)
class LocalGuard:
    """When a sidecar stops sending to a feature by itself, before Aerobat has spoken."""

    consecutive_failures: int = 5
    """So many calls in a row that found no connection, or lost it before an answer had begun."""
    max_ms: int = 2_000
    """How long it sends nobody to the feature then, at most; after that it counts from zero."""

    def __post_init__(self) -> None:
        check_integer("consecutive_failures", self.consecutive_failures, *CONSECUTIVE_FAILURES)
        check_integer("max_ms", self.max_ms, *GUARD_MS)


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
        check_integer("window_ms", self.window_ms, *WINDOW_MS)
        check_integer("long_window_ms", self.long_window_ms, *WINDOW_MS)
        if self.long_window_ms < self.window_ms:
            raise ContractError(
                "long_window_ms", f"expected at least window_ms ({self.window_ms}), got {self.long_window_ms}"
            )
        check_integer("min_calls", self.min_calls, *MIN_CALLS)
        check_number("confidence", self.confidence, *CONFIDENCE)
        check_number("error_threshold", self.error_threshold, *PERCENT)
        if (self.slow_call_ms is None) != (self.slow_threshold is None):
            missing, given = (
                ("slow_call_ms", "slow_threshold") if self.slow_call_ms is None else ("slow_threshold", "slow_call_ms")
            )
            raise ContractError(missing, f"expected a number, since {given} is set; set both or neither")
        if self.slow_call_ms is not None and self.slow_threshold is not None:
            check_integer("slow_call_ms", self.slow_call_ms, *SLOW_CALL_MS)
            check_number("slow_threshold", self.slow_threshold, *PERCENT)


Metadata = tuple[tuple[str, str | int | float | bool], ...]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """One flag as its team wants it. `rollout` is a percentage, 0 to 100; `updated_at` is RFC 3339, for people.

    Users who are out get `off_variant`, users who are in get one of `split`. Users are bucketed by
    their targeting key or, with `bucket_by`, by that attribute. Answers carry `metadata`.
    """

    app: str
    key: str
    version: int
    active: bool
    rollout: float
    salt: str
    type: ValueType = ValueType.BOOLEAN
    variants: tuple[Variant, ...] = ON_OFF
    off_variant: str = "off"
    split: Split = ALL_ON
    bucket_by: str | None = None
    requires: tuple[Requirement, ...] = ()
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    circuit: CircuitSettings | None = None
    metadata: Metadata = ()
    updated_at: str = ""

    def __post_init__(self) -> None:
        check_app_key("app", self.app)
        check_flag_key("key", self.key)
        check_integer("version", self.version, 0, MAX_INTEGER)
        check_number("rollout", self.rollout, *PERCENT)
        if self.variants is not ON_OFF or self.type is not ValueType.BOOLEAN:
            check_variants(self.type, self.variants)
        if self.off_variant != "off" or self.variants is not ON_OFF:
            check_variant("off_variant", self.off_variant, self.variants)
        if self.split is not ALL_ON or self.variants is not ON_OFF:
            check_split(self.split, self.variants)
        if self.bucket_by == "":
            raise ContractError("bucket_by", "expected the name of an attribute, got an empty string")
        self._check_rules()
        self._check_requirements()
        self._check_metadata()

    def _check_rules(self) -> None:
        for index, rule in enumerate(self.rules):
            if rule.split is not None:
                try:
                    check_split(rule.split, self.variants)
                except ContractError as error:
                    raise error.within(f"rules[{index}]") from None
        names = [self.rule_name(index) for index in range(len(self.rules))]
        if len(set(names)) < len(names):
            twice = next(index for index, name in enumerate(names) if name in names[:index])
            problem = f"expected a name that no other rule has, got {shown(names[twice], 80)}"
            if any(rule.name is None for rule, name in zip(self.rules, names, strict=True) if name == names[twice]):
                problem += "; an unnamed rule is called by its place"
            raise ContractError(f"rules[{twice}].name", problem)

    def _check_requirements(self) -> None:
        if len(self.requires) > MAX_REQUIREMENTS:
            raise ContractError(
                "requires", f"expected at most {MAX_REQUIREMENTS} prerequisites, got {len(self.requires)}"
            )
        flags = [requirement.flag for requirement in self.requires]
        if len(set(flags)) < len(flags):
            raise ContractError("requires", "expected each flag once")

    def _check_metadata(self) -> None:
        if len(self.metadata) > MAX_METADATA:
            raise ContractError("metadata", f"expected at most {MAX_METADATA} entries, got {len(self.metadata)}")
        for name, value in self.metadata:
            if not isinstance(value, str | bool) and not is_exact_number(value):
                raise ContractError(
                    f"metadata.{name[:80]}", f"expected a string, a number or a boolean, got {shown(value)}"
                )

    @property
    def flag_id(self) -> FlagId:
        """Return what names this flag on the wire."""
        return FlagId(self.app, self.key)

    def rule_name(self, index: int) -> str:
        """Return what a rule is called: its name, or its place, from 1."""
        return self.rules[index].name or str(index + 1)
