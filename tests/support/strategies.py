"""Hypothesis strategies for the values of the core: what any valid ruleset, circuit or context may look like."""

from datetime import UTC, timedelta, timezone
from ipaddress import ip_network

from hypothesis import strategies as st

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import TRANSITIONS, Circuit, Signal, State, Transition
from tailslide_core.conditions import Condition, Operator, Scalar
from tailslide_core.evaluation import Context
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.naming import FlagId
from tailslide_core.outcomes import StatusSet
from tailslide_core.ramp import RampProfile
from tailslide_core.ruleset import DAY_MS, CircuitSettings, LocalGuard, Recovery, Requirement, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_core.variants import ALL_ON, ON_OFF, Share, Split, Value, ValueType, Variant
from tailslide_core.windows import SHORTEST_WINDOW_MS, WindowCounts

INT64 = 2**63 - 1
UINT64 = 2**64 - 1

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""What JSON can carry: any text without lone surrogates."""
targeting_keys = st.one_of(texts.filter(bool), st.uuids().map(str), st.integers(1, 10**9).map(str))
wire_keys = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)
"""Keys of apps."""
flag_keys = st.one_of(
    wire_keys,
    st.from_regex(r"[A-Za-z0-9-][A-Za-z0-9_-]{0,30}(\.[A-Za-z0-9_-]{1,30}){0,2}", fullmatch=True),
    st.sampled_from(["a", "a.b", "a._b", "A", "-", "x" * 100, "on", "off"]),
)
"""Keys of flags, segments and variants."""
percentages = st.one_of(
    st.sampled_from([0.0, 0.001, 10.0, 33.3, 50.0, 99.999, 100.0]),
    st.integers(0, 100_000).map(lambda thousandths: thousandths / 1000),
    st.floats(0, 100),
)
times_ms = st.integers(0, 2**45)
exact = st.one_of(st.integers(-INT64 - 1, UINT64), st.floats(-(2.0**63), 2.0**64, exclude_min=True, exclude_max=True))
"""Numbers that conditions compare: of 64 bits, or doubles between those."""
scalars: st.SearchStrategy[Scalar] = st.one_of(texts, exact, st.booleans())

attribute_names = st.sampled_from(["country", "plan", "version", "age", "beta", "user.plan", "a.b.c", "targetingKey"])
attribute_values: st.SearchStrategy[object] = st.one_of(
    scalars,
    st.sampled_from(["DE", "FR", "pro", "PRO", "2.1.0", "18", "10.1.2.3", "2026-11-28T12:00:00Z"]),
    st.none(),
    st.lists(scalars, max_size=3),
    st.dictionaries(st.sampled_from(["plan", "b"]), scalars | st.none() | st.lists(scalars, max_size=2), max_size=2),
)
attributes = st.dictionaries(attribute_names | st.sampled_from(["user", "a"]), attribute_values, max_size=4)

any_json: st.SearchStrategy[object] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(categories=["Cs", "L", "N", "P", "Z", "Cc"]), max_size=8),
        st.sampled_from([2**63, 2**64, -(2**63) - 1, 1e308, 5e-324, "9" * 30, "1e999", "\x00", "\ud800", "1.2.3-a"]),
        st.sampled_from(["::ffff:10.0.0.1", "fe80::1%eth0", "2016-12-31T23:59:60Z", "0000-00-00T00:00:00Z", "x" * 300]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
"""What an attribute may be: any JSON, lone surrogates and numbers of any size with it, and NaN from elsewhere."""
contexts = st.builds(Context, st.one_of(st.none(), st.just(""), targeting_keys), attributes)

_PART_OPERATORS = [Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH]
_NUMBER_OPERATORS = [Operator.LT, Operator.LE, Operator.GT, Operator.GE]
_VERSION_OPERATORS = [Operator(f"semver_{order}") for order in ("eq", "lt", "le", "gt", "ge")]

versions = st.builds("{}.{}.{}{}".format, *[st.integers(0, 30)] * 3, st.sampled_from(["", "-rc.1", "-alpha", "+5"]))
semver_ranges = st.builds(
    "{}{}".format,
    st.sampled_from(["", "^", "~", ">=", "<", "<=", ">", "= "]),
    versions | st.integers(0, 30).map(str) | st.builds("{}.{}".format, st.integers(0, 3), st.integers(0, 3)),
)
times = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=30))])).map(
    lambda time: f"{time.replace(tzinfo=None).isoformat('T')}{'Z' if time.tzinfo is UTC else '-09:30'}"
)
networks = st.ip_addresses().flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda prefix: str(ip_network(f"{address}/{prefix}", strict=False))
    )
)
patterns = st.sampled_from(["", "^a", "[0-9]+$", "(?i)pro", "\\pZ", "(a|b)*c", ".{3}", "\\.", "é"])
segment_keys = st.sampled_from(["staff", "beta", "gone"])


def _conditions(
    operators: list[Operator], values: st.SearchStrategy[tuple[Scalar, ...]], *, text: bool = False
) -> st.SearchStrategy[Condition]:
    """Draw conditions of these operators; those that compare text may ignore case."""
    ignore_case = st.booleans() if text else st.just(False)
    return st.builds(Condition, attribute_names, st.sampled_from(operators), values, st.booleans(), ignore_case)


def _some(values: st.SearchStrategy[Scalar]) -> st.SearchStrategy[tuple[Scalar, ...]]:
    return st.lists(values, min_size=1, max_size=3).map(tuple)


conditions = st.one_of(
    _conditions([Operator.IN, Operator.NOT_IN, Operator.EQUALS], _some(scalars), text=True),
    _conditions(_PART_OPERATORS, _some(scalars.filter(lambda value: value != "")), text=True),
    _conditions([Operator.MATCHES], _some(patterns), text=True),
    _conditions(_NUMBER_OPERATORS, st.tuples(st.integers(-99, 99) | exact)),
    _conditions([Operator.BEFORE, Operator.AFTER], st.tuples(times)),
    _conditions([Operator.IP_IN], _some(networks | st.ip_addresses().map(str))),
    _conditions(_VERSION_OPERATORS, st.tuples(versions)),
    _conditions([Operator.SEMVER_IN], _some(semver_ranges)),
    _conditions([Operator.EXISTS], st.sampled_from([(), (True,), (False,)])),
    _conditions([Operator.IN_SEGMENT], _some(segment_keys)),
)
rules = st.builds(Rule, st.lists(conditions, min_size=1, max_size=3).map(tuple), percentages)

status_sets = st.lists(
    st.one_of(
        st.integers(100, 599),
        st.integers(100, 599).map(str),
        st.sampled_from(["4xx", "5xx"]),
        st.tuples(st.integers(100, 599), st.integers(100, 599)).map(lambda ends: f"{min(ends)}-{max(ends)}"),
    ),
    max_size=4,
).map(StatusSet.parse)


@st.composite
def recoveries(draw: st.DrawFn, *, longest_ms: int = DAY_MS, least_increment: float = 0.001) -> Recovery:
    """Draw any recovery, or one of at most `longest_ms` and with steps of at least `least_increment`."""
    delay_ms = draw(st.integers(0, longest_ms))
    return Recovery(
        delay_ms=delay_ms,
        max_delay_ms=draw(st.integers(delay_ms, longest_ms)),
        initial=draw(st.floats(max(0.001, least_increment), 100)),
        increment=draw(st.floats(least_increment, 1000)),
        interval_ms=draw(st.integers(100, longest_ms)),
        profile=draw(st.sampled_from(RampProfile)),
    )


@st.composite
def circuit_settings(draw: st.DrawFn) -> CircuitSettings:
    """Draw any valid settings of a circuit."""
    window_ms = draw(st.integers(SHORTEST_WINDOW_MS, DAY_MS))
    slow = draw(st.booleans())
    return CircuitSettings(
        forced_open=draw(st.booleans()),
        reset_generation=draw(st.integers(0, 5)),
        window_ms=window_ms,
        long_window_ms=draw(st.integers(window_ms, DAY_MS)),
        min_calls=draw(st.integers(1, 50)),
        confidence=draw(st.floats(0.5, 0.999999999)),
        error_threshold=draw(percentages),
        failure_statuses=draw(status_sets),
        slow_call_ms=draw(st.integers(1, DAY_MS)) if slow else None,
        slow_threshold=draw(percentages) if slow else None,
        recovery=draw(st.none() | recoveries()),
        local_guard=draw(st.none() | st.builds(LocalGuard, st.integers(1, 1_000), st.integers(100, 600_000))),
    )


exact_numbers: st.SearchStrategy[int | float] = st.one_of(
    st.integers(-MAX_INTEGER, MAX_INTEGER), st.floats(-MAX_INTEGER, MAX_INTEGER)
)
json_values: st.SearchStrategy[object] = st.recursive(
    st.one_of(st.none(), st.booleans(), exact_numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)
VALUES: dict[ValueType, st.SearchStrategy[Value]] = {
    ValueType.BOOLEAN: st.booleans(),
    ValueType.STRING: texts,
    ValueType.NUMBER: exact_numbers | st.sampled_from([0, 1, 0.0, 1.0]),
    ValueType.OBJECT: st.dictionaries(texts, json_values, max_size=3),
}


@st.composite
def variants_of(draw: st.DrawFn, kind: ValueType) -> tuple[Variant, ...]:
    """Draw what a flag of this type may give."""
    keys = draw(st.lists(flag_keys | st.sampled_from(["on", "off"]), min_size=1, max_size=4, unique=True))
    return tuple(Variant(key, draw(VALUES[kind])) for key in keys)


@st.composite
def splits_over(draw: st.DrawFn, variants: tuple[Variant, ...]) -> Split:
    """Draw a split over some of these variants; weights may be 0, but not all."""
    chosen = draw(st.lists(st.sampled_from(variants), min_size=1, unique_by=lambda variant: variant.key))
    weights = [draw(st.sampled_from([0, 1, 1, 1, 2, 3, 50, 1_000_000])) for _ in chosen]
    shares = [Share(variant.key, weight) for variant, weight in zip(chosen, weights, strict=True)]
    return tuple(shares) if any(weights) else (*shares[:-1], Share(shares[-1].variant, 1))


requirements = st.builds(Requirement, flag_keys, st.none() | st.frozensets(flag_keys, min_size=1, max_size=3))
metadata = st.dictionaries(texts, st.one_of(texts, st.booleans(), exact_numbers), max_size=3).map(
    lambda entries: tuple(entries.items())
)


@st.composite
def whole_rulesets(draw: st.DrawFn) -> Ruleset:
    """Draw a flag of any type that may use all of the language, or one that uses none of it."""
    kind = draw(st.sampled_from(ValueType))
    is_plain = kind is ValueType.BOOLEAN and draw(st.booleans())
    variants = ON_OFF if is_plain else draw(variants_of(kind))
    off_variant = "off" if is_plain else draw(st.sampled_from(variants)).key
    named = draw(st.lists(st.none() | flag_keys, max_size=3))
    names = {name or str(place) for place, name in enumerate(named, start=1)}
    ways = [
        Rule(
            tuple(draw(st.lists(conditions, min_size=1, max_size=3))),
            draw(percentages),
            draw(st.none() | splits_over(variants)),
            name,
        )
        for name in named
    ]
    return Ruleset(
        app=draw(wire_keys),
        key=draw(flag_keys),
        version=draw(st.integers(0, MAX_INTEGER)),
        active=draw(st.booleans()),
        rollout=draw(percentages),
        salt=draw(texts),
        type=kind,
        variants=variants,
        off_variant=off_variant,
        split=ALL_ON if is_plain and draw(st.booleans()) else draw(splits_over(variants)),
        bucket_by=draw(st.none() | attribute_names),
        requires=tuple(draw(st.lists(requirements, max_size=3, unique_by=lambda requirement: requirement.flag))),
        allow=draw(st.frozensets(targeting_keys, max_size=3)),
        deny=draw(st.frozensets(targeting_keys, max_size=3)),
        rules=tuple(ways) if len(names) == len(named) else (),
        circuit=draw(st.none() | circuit_settings()),
        metadata=draw(metadata),
        updated_at=draw(st.sampled_from(["", "2026-11-22T10:00:00Z"])),
    )


rulesets = whole_rulesets()
members = st.frozensets(targeting_keys, max_size=3)
segments = st.builds(
    Segment,
    app=wire_keys,
    key=flag_keys,
    version=st.integers(0, MAX_INTEGER),
    include=members,
    exclude=members,
    # They are not nested.
    when=st.lists(conditions.filter(lambda condition: condition.operator != "in_segment"), max_size=2).map(tuple),
    updated_at=st.sampled_from(["", "2026-11-22T10:00:00Z"]),
)

trip_reasons = st.builds(
    TripReason,
    rule=st.sampled_from(TripRule),
    observed=percentages,
    lower_bound=percentages,
    threshold=percentages,
    calls=st.integers(1, 10**9),
    window_ms=st.integers(SHORTEST_WINDOW_MS, DAY_MS),
)


@st.composite
def circuits(draw: st.DrawFn) -> Circuit:
    """Draw a circuit whose state and percentage agree, as those that `step` makes do."""
    state = draw(st.sampled_from(State))
    percentage = {State.CLOSED: 100.0, State.OPEN: 0.0}.get(state)
    return Circuit(
        state=state,
        percentage=draw(st.floats(0.001, 100)) if percentage is None else percentage,
        trips=draw(st.integers(0 if state is State.CLOSED else 1, 60)),
        generation=draw(st.integers(0, MAX_INTEGER)),
        reset_generation=draw(st.integers(0, 5)),
        since_ms=draw(times_ms),
        next_ms=draw(st.none() | times_ms),
        reason=draw(st.none() | trip_reasons),
    )


transitions = st.builds(
    Transition,
    signal=st.sampled_from(sorted({s for _, s in TRANSITIONS})),
    at_ms=times_ms,
    before=circuits(),
    after=circuits(),
)
flag_ids = st.builds(FlagId, wire_keys, flag_keys)
signals = st.sampled_from(Signal)


@st.composite
def window_counts(draw: st.DrawFn) -> tuple[WindowCounts, ...]:
    """Draw the counts of a ladder: each window holds what the shorter ones hold, and some more."""
    counts: list[WindowCounts] = []
    window_ms, calls, failures, slow = 125, 0, 0, 0
    for _ in range(draw(st.integers(0, 4))):
        window_ms *= 2
        more = draw(st.integers(0, 100))
        calls += more
        failures += draw(st.integers(0, more))
        slow += draw(st.integers(0, more))
        counts.append(WindowCounts(window_ms, calls, failures, slow))
    return tuple(counts)
