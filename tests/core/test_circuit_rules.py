"""What holds of the circuit for all settings, counts and times, as hypothesis sees it."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from strategies import (
    circuit_settings,
    circuits,
    percentages,
    recoveries,
    targeting_keys,
    texts,
    trip_reasons,
    window_counts,
)

from tailslide_core.breach import TripReason, breach, by_chance
from tailslide_core.circuit import QUIET_PATIENCE, TRANSITIONS, Circuit, Signal, State, dated, step
from tailslide_core.contracts import decode_circuit, encode_circuit
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.flag_set import FlagSet
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset
from tailslide_core.wilson import lower_bound
from tailslide_core.windows import WindowCounts

START = 1_795_363_190_302


def flag(
    settings: CircuitSettings | None, *, active: bool = True, rollout: float = 100.0, salt: str = "new"
) -> Ruleset:
    return Ruleset("checkout", "new", 1, active, rollout, salt, circuit=settings)


@dataclass(frozen=True)
class Look:
    """One look at a circuit: what the flag and the counts are by then, and by how much the clock has moved."""

    settings: CircuitSettings | None
    active: bool
    counts: tuple[WindowCounts, ...]
    moved_ms: int


looks = st.builds(
    Look,
    settings=st.one_of(st.none(), circuit_settings(), circuit_settings()),
    active=st.sampled_from([True, True, True, False]),
    counts=window_counts(),
    moved_ms=st.one_of(st.integers(-10_000, 10_000), st.integers(0, 10**9)),
)


def check_consistent(circuit: Circuit) -> None:
    match circuit.state:
        case State.CLOSED:
            assert circuit.percentage == 100
        case State.OPEN:
            assert circuit.percentage == 0
        case State.RECOVERING:
            assert 0 < circuit.percentage <= 100
    if circuit.state is not State.CLOSED:
        assert circuit.trips >= 1
    assert (circuit.reason is None) == (circuit.trips == 0)
    assert circuit.next_ms is None or circuit.next_ms >= circuit.since_ms


@given(st.lists(looks, max_size=40))
def test_no_sequence_of_looks_leads_out_of_the_table(sequence: list[Look]) -> None:
    circuit, now_ms = Circuit(), START
    for look in sequence:
        now_ms += look.moved_ms
        ruleset = flag(look.settings, active=look.active)
        seen = step(circuit, ruleset, look.counts, now_ms)
        if seen.transition is None:
            assert seen.circuit is circuit
        else:
            assert seen.transition.before is circuit
            assert seen.transition.after is seen.circuit
            assert seen.transition.at_ms == now_ms
            assert TRANSITIONS[circuit.state, seen.transition.signal] is seen.circuit.state
            assert seen.circuit.generation == circuit.generation + 1
            assert look.settings is not None
            assert seen.circuit.reset_generation == look.settings.reset_generation
            assert seen.circuit.since_ms == (circuit.since_ms if seen.transition.signal is Signal.CALM else now_ms)
            held = not look.active or look.settings.forced_open
            assert not held or seen.transition.signal is Signal.RESET
        check_consistent(seen.circuit)
        circuit = seen.circuit


@given(circuits(), looks)
def test_a_look_is_a_pure_function(circuit: Circuit, look: Look) -> None:
    ruleset = flag(look.settings, active=look.active)
    now_ms = circuit.since_ms + look.moved_ms
    assert step(circuit, ruleset, look.counts, now_ms) == step(circuit, ruleset, look.counts, now_ms)


@given(recoveries(longest_ms=60_000, least_increment=1.0), st.lists(window_counts(), min_size=1, max_size=5))
def test_a_recovering_circuit_closes_or_opens_unless_each_look_shows_too_few_bad_calls_to_tell(
    recovery: Recovery, counts: list[tuple[WindowCounts, ...]]
) -> None:
    ruleset = flag(CircuitSettings(recovery=recovery))
    circuit = Circuit(State.RECOVERING, recovery.initial, trips=1, since_ms=START)
    now_ms = START
    if all(windows and windows[-1].failures * 2 > windows[-1].calls for windows in counts):
        counts = [*counts, (WindowCounts(10_000),)]
    # Of all ramps with steps of at least 1, an exponential one from 1 % by 1 % takes longest: 464 steps. Each of them
    # may have to wait for as many looks as there are.
    for look in range(470 * len(counts)):
        now_ms += recovery.interval_ms * QUIET_PATIENCE
        before = circuit
        circuit = step(circuit, ruleset, counts[look % len(counts)], now_ms).circuit
        if circuit.state is not State.RECOVERING:
            break
        assert circuit.percentage >= before.percentage
    assert circuit.state in (State.CLOSED, State.OPEN)


@given(
    recoveries(longest_ms=60_000, least_increment=1.0),
    percentages,
    texts,
    st.lists(targeting_keys, max_size=20, unique=True),
)
def test_users_who_are_let_back_in_stay_in_at_every_later_step(
    recovery: Recovery, rollout: float, salt: str, users: list[str]
) -> None:
    ruleset = replace(flag(CircuitSettings(recovery=recovery)), rollout=rollout, salt=salt)

    def let_in(circuit: Circuit) -> set[str]:
        flags = FlagSet({"new": ruleset}, {"new": circuit})
        return {user for user in users if evaluate("new", flags, Context(user)).active}

    before_trip = let_in(Circuit())
    failing, healthy = (WindowCounts(10_000, 100, 100, 0),), (WindowCounts(10_000, 100, 0, 0),)
    circuit = step(Circuit(), ruleset, failing, START).circuit
    assert circuit.percentage == 0
    assert let_in(circuit) == set()
    now_ms, let_in_so_far = START, set[str]()
    while circuit.state is not State.CLOSED:
        now_ms += max(recovery.max_delay_ms, recovery.interval_ms)
        circuit = step(circuit, ruleset, healthy, now_ms).circuit
        assert let_in_so_far <= let_in(circuit)
        let_in_so_far = let_in(circuit)
    assert let_in_so_far == before_trip


def plainly_too_many(hits: int, calls: int, threshold: float, confidence: float) -> bool:
    """Say the rule without its short cuts, the probability of chance by scipy."""
    sure = 100 * lower_bound(hits, calls, confidence) > threshold or hits == calls
    chance = float(binom.sf(hits - 1, calls, threshold / 200)) if threshold else 0.0
    return hits * 100 > threshold * calls and sure and chance < by_chance(confidence)


def plain_breach(settings: CircuitSettings, counts: tuple[WindowCounts, ...]) -> bool:
    for window in counts:
        if window.calls >= settings.min_calls:
            if plainly_too_many(window.failures, window.calls, settings.error_threshold, settings.confidence):
                return True
            limit = settings.slow_threshold
            if limit is not None and plainly_too_many(window.slow, window.calls, limit, settings.confidence):
                return True
    return False


@given(circuit_settings(), window_counts())
def test_a_breach_is_found_where_the_plain_rule_finds_one(
    settings: CircuitSettings, counts: tuple[WindowCounts, ...]
) -> None:
    found = breach(settings, counts)
    assert (found is not None) == plain_breach(settings, counts)
    if found is not None:
        check_reason(found, settings, counts)


def check_reason(reason: TripReason, settings: CircuitSettings, counts: tuple[WindowCounts, ...]) -> None:
    assert (reason.calls, reason.window_ms) in {(window.calls, window.window_ms) for window in counts}
    assert reason.calls >= settings.min_calls
    assert 0 <= reason.lower_bound <= reason.observed <= 100
    assert reason.threshold in (settings.error_threshold, settings.slow_threshold)


@given(circuit_settings(), st.integers(0, 10_000), st.integers(1, 10_000))
def test_one_more_failure_never_heals(settings: CircuitSettings, failures: int, successes: int) -> None:
    calls = failures + successes
    if breach(settings, [WindowCounts(1_000, calls, failures)]) is not None:
        assert breach(settings, [WindowCounts(1_000, calls, failures + 1)]) is not None


@given(circuits(), circuit_settings(), window_counts(), st.integers(1, 10**6))
def test_time_that_has_not_passed_moves_nothing(
    circuit: Circuit, settings: CircuitSettings, counts: tuple[WindowCounts, ...], back_ms: int
) -> None:
    seen = step(circuit, flag(settings), counts, circuit.since_ms - back_ms)
    if seen.transition is not None:
        assert seen.transition.signal in (Signal.BREACH, Signal.RESET)


@given(circuits(), circuit_settings(), window_counts())
def test_time_moves_a_circuit_no_earlier_than_it_says(
    circuit: Circuit, settings: CircuitSettings, counts: tuple[WindowCounts, ...]
) -> None:
    begun = step(circuit, flag(settings), counts, circuit.since_ms + 10**9)
    if begun.transition is None:
        return
    after, next_ms = begun.circuit, begun.circuit.next_ms
    early = after.since_ms + 10**12 if next_ms is None else next_ms - 1
    healthy = [WindowCounts(window.window_ms, window.calls) for window in counts]
    assert step(after, flag(settings), healthy, early).transition is None or settings.error_threshold == 0


@pytest.mark.parametrize("state", State)
@given(settings=circuit_settings(), counts=window_counts())
def test_a_reset_always_closes(state: State, settings: CircuitSettings, counts: tuple[WindowCounts, ...]) -> None:
    circuit = Circuit(state, 50.0, trips=3, generation=9, reset_generation=settings.reset_generation)
    reset = replace(settings, reset_generation=settings.reset_generation + 1)
    after = step(circuit, flag(reset), counts, START).circuit
    assert (after.state, after.percentage, after.trips, after.reason) == (State.CLOSED, 100, 0, None)
    assert after.reset_generation == reset.reset_generation


large = st.integers(0, MAX_INTEGER) | st.sampled_from([MAX_INTEGER, MAX_INTEGER - 1])
any_circuits = st.builds(
    Circuit,
    state=st.sampled_from(State),
    percentage=percentages,
    trips=large,
    generation=large,
    reset_generation=st.integers(0, 6),
    since_ms=large,
    next_ms=st.none() | large,
    reason=st.none() | trip_reasons,
)
any_counts = st.lists(st.builds(WindowCounts, st.just(10_000), *[st.integers(0, 2**62)] * 3), max_size=3)


@given(any_circuits, circuit_settings(), any_counts, st.integers(0, 2**52))
def test_what_follows_any_circuit_that_can_be_read_can_be_read(
    circuit: Circuit, settings: CircuitSettings, counts: list[WindowCounts], now_ms: int
) -> None:
    flag = Ruleset("a", "f", 1, active=True, rollout=100.0, salt="f", circuit=settings)
    after = step(circuit, flag, counts, now_ms).circuit
    assert decode_circuit(encode_circuit(after)) == after
    again = dated(circuit, settings, now_ms)
    assert decode_circuit(encode_circuit(again)) == again
