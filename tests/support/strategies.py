"""Hypothesis strategies for the values of the core: what any valid ruleset, circuit or context may look like."""

from hypothesis import strategies as st

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import TRANSITIONS, Circuit, Signal, State, Transition
from tailslide_core.conditions import Condition, Operator, Scalar
from tailslide_core.evaluation import Context
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.naming import FlagId
from tailslide_core.outcomes import StatusSet
from tailslide_core.ramp import RampProfile
from tailslide_core.ruleset import DAY_MS, CircuitSettings, LocalGuard, Recovery, Rule, Ruleset
from tailslide_core.windows import SHORTEST_WINDOW_MS, WindowCounts

INT64 = 2**63 - 1

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""What JSON can carry: any text without lone surrogates."""
targeting_keys = st.one_of(texts.filter(bool), st.uuids().map(str), st.integers(1, 10**9).map(str))
wire_keys = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)
percentages = st.one_of(
    st.sampled_from([0.0, 0.001, 10.0, 33.3, 50.0, 99.999, 100.0]),
    st.integers(0, 100_000).map(lambda thousandths: thousandths / 1000),
    st.floats(0, 100),
)
times_ms = st.integers(0, 2**45)
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars: st.SearchStrategy[Scalar] = st.one_of(texts, st.integers(-INT64, INT64), finite, st.booleans())

attribute_names = st.sampled_from(["country", "plan", "version", "age", "beta"])
attribute_values: st.SearchStrategy[object] = st.one_of(
    scalars, st.sampled_from(["DE", "FR", "pro", "2.1.0", "18"]), st.none(), st.lists(scalars, max_size=3)
)
attributes = st.dictionaries(attribute_names, attribute_values, max_size=4)
contexts = st.builds(Context, st.one_of(st.none(), st.just(""), targeting_keys), attributes)

_TEXT_OPERATORS = [
    Operator.IN,
    Operator.NOT_IN,
    Operator.EQUALS,
    Operator.CONTAINS,
    Operator.STARTS_WITH,
    Operator.ENDS_WITH,
]
_NUMBER_OPERATORS = [Operator.LT, Operator.LE, Operator.GT, Operator.GE]
_VERSION_OPERATORS = [operator for operator in Operator if operator.startswith("semver_")]

versions = st.builds("{}.{}.{}{}".format, *[st.integers(0, 30)] * 3, st.sampled_from(["", "-rc.1", "-alpha", "+5"]))
conditions = st.one_of(
    st.builds(
        Condition,
        attribute_names,
        st.sampled_from(_TEXT_OPERATORS),
        st.lists(scalars, min_size=1, max_size=3).map(tuple),
    ),
    st.builds(Condition, attribute_names, st.sampled_from(_NUMBER_OPERATORS), st.tuples(st.integers(-99, 99) | finite)),
    st.builds(Condition, attribute_names, st.sampled_from(_VERSION_OPERATORS), st.tuples(versions)),
    st.builds(Condition, attribute_names, st.just(Operator.EXISTS), st.sampled_from([(), (True,), (False,)])),
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


rulesets = st.builds(
    Ruleset,
    app=wire_keys,
    key=wire_keys,
    version=st.integers(0, MAX_INTEGER),
    active=st.booleans(),
    rollout=percentages,
    salt=texts,
    allow=st.frozensets(targeting_keys, max_size=3),
    deny=st.frozensets(targeting_keys, max_size=3),
    rules=st.lists(rules, max_size=3).map(tuple),
    circuit=st.none() | circuit_settings(),
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
flag_ids = st.builds(FlagId, wire_keys, wire_keys)
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
