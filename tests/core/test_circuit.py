"""The circuit, example by example. The rules for all inputs are in `test_circuit_rules.py`."""

import importlib.util
import itertools
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import TRANSITIONS, Circuit, IllegalTransition, Signal, State, _move, delay_ms, step
from tailslide_core.contracts import decode_circuit, encode_circuit
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset
from tailslide_core.windows import WindowCounts

START = 1_795_363_190_302
SETTINGS = CircuitSettings(
    confidence=0.999,
    recovery=Recovery(delay_ms=30_000, max_delay_ms=100_000, initial=10, increment=45, interval_ms=5_000),
)
HEALTHY = (WindowCounts(10_000, calls=100, failures=0, slow=0),)
FAILING = (WindowCounts(10_000, calls=100, failures=95, slow=0),)
QUIET = (WindowCounts(10_000),)
REASON = TripReason(TripRule.ERROR_RATE, observed=95.0, lower_bound=83.6, threshold=50.0, calls=100, window_ms=10_000)
OPEN = Circuit(State.OPEN, 0.0, trips=1, generation=1, since_ms=START, next_ms=START + 30_000, reason=REASON)
RECOVERING = Circuit(
    State.RECOVERING, 10.0, trips=1, generation=2, since_ms=START, next_ms=START + 5_000, reason=REASON
)


def flag(settings: CircuitSettings | None = SETTINGS, *, active: bool = True) -> Ruleset:
    return Ruleset("checkout", "new", 1, active, 100.0, "new", circuit=settings)


class Story:
    """Looks at one circuit again and again, and keeps what came of it."""

    def __init__(self, settings: CircuitSettings = SETTINGS) -> None:
        self.flag = flag(settings)
        self.circuit = Circuit()
        self.now_ms = START

    def look(self, after_ms: int, counts: tuple[WindowCounts, ...]) -> tuple[str | None, State, float]:
        self.now_ms += after_ms
        seen = step(self.circuit, self.flag, counts, self.now_ms)
        self.circuit = seen.circuit
        signal = None if seen.transition is None else seen.transition.signal
        return signal, self.circuit.state, self.circuit.percentage


def test_the_whole_story_of_a_trip_and_a_recovery() -> None:
    story = Story()
    transcript = [
        (0, HEALTHY, (None, State.CLOSED, 100)),
        (1_000, FAILING, ("breach", State.OPEN, 0)),
        (29_999, QUIET, (None, State.OPEN, 0)),
        (1, QUIET, ("delay_over", State.RECOVERING, 10)),
        (4_999, HEALTHY, (None, State.RECOVERING, 10)),
        (1, HEALTHY, ("step_passed", State.RECOVERING, 55)),
        (5_000, HEALTHY, ("ramp_finished", State.CLOSED, 100)),
        (29_999, HEALTHY, (None, State.CLOSED, 100)),
        (1, HEALTHY, ("calm", State.CLOSED, 100)),
        (10**9, HEALTHY, (None, State.CLOSED, 100)),
    ]
    for after_ms, counts, outcome in transcript:
        assert story.look(after_ms, counts) == outcome
    assert story.circuit == Circuit(generation=5, since_ms=START + 1_000 + 30_000 + 10_000)


def test_a_breach_while_recovering_opens_again_for_twice_as_long() -> None:
    story = Story()
    transcript = [
        (0, FAILING, ("breach", State.OPEN, 0)),
        (30_000, QUIET, ("delay_over", State.RECOVERING, 10)),
        (1_000, FAILING, ("breach", State.OPEN, 0)),
        (59_999, QUIET, (None, State.OPEN, 0)),
        (1, QUIET, ("delay_over", State.RECOVERING, 10)),
        (1_000, FAILING, ("breach", State.OPEN, 0)),
        (99_999, QUIET, (None, State.OPEN, 0)),
        (1, QUIET, ("delay_over", State.RECOVERING, 10)),
    ]
    for after_ms, counts, outcome in transcript:
        assert story.look(after_ms, counts) == outcome
    assert story.circuit.trips == 3


def test_a_trip_before_the_last_one_is_forgotten_doubles_the_delay() -> None:
    settings = replace(SETTINGS, recovery=replace(SETTINGS.recovery or Recovery(), initial=100.0))
    story = Story(settings)
    for after_ms, counts in [(0, FAILING), (30_000, QUIET), (5_000, HEALTHY)]:
        story.look(after_ms, counts)
    assert (story.circuit.state, story.circuit.trips) == (State.CLOSED, 1)
    assert story.circuit.next_ms == story.now_ms + 30_000
    assert story.look(29_999, FAILING) == ("breach", State.OPEN, 0)
    assert story.circuit.next_ms == story.now_ms + 60_000


def test_a_trip_after_that_starts_with_the_first_delay() -> None:
    calm = step(Circuit(trips=3, since_ms=START, reason=REASON), flag(), HEALTHY, START + 100_000)
    assert calm.circuit == Circuit(trips=0, generation=1, since_ms=START)
    tripped = step(calm.circuit, flag(), FAILING, START + 100_001).circuit
    assert (tripped.trips, tripped.next_ms) == (1, START + 100_001 + 30_000)


def test_a_transition_tells_what_happened_when_and_why() -> None:
    seen = step(Circuit(generation=7, reset_generation=3), flag(replace(SETTINGS, reset_generation=3)), FAILING, START)
    assert seen.transition is not None
    assert (seen.transition.signal, seen.transition.at_ms) == (Signal.BREACH, START)
    assert seen.transition.before == Circuit(generation=7, reset_generation=3)
    assert seen.transition.after is seen.circuit
    reason = seen.circuit.reason
    assert reason is not None
    assert 50 < reason.lower_bound < 95
    assert replace(reason, lower_bound=0.0) == TripReason(TripRule.ERROR_RATE, 95.0, 0.0, 50.0, 100, 10_000)
    assert replace(seen.circuit, reason=None) == Circuit(
        State.OPEN, 0.0, trips=1, generation=8, reset_generation=3, since_ms=START, next_ms=START + 30_000
    )


@pytest.mark.parametrize(
    ("trips", "expected_ms"), [(0, 1_000), (1, 1_000), (2, 2_000), (3, 4_000), (4, 5_000), (5, 5_000), (10**6, 5_000)]
)
def test_the_delay_doubles_up_to_its_maximum(trips: int, expected_ms: int) -> None:
    assert delay_ms(Recovery(delay_ms=1_000, max_delay_ms=5_000), trips) == expected_ms


def test_no_delay_stays_no_delay_and_without_recovery_there_is_none() -> None:
    assert delay_ms(Recovery(delay_ms=0, max_delay_ms=1_000), 30) == 0
    assert delay_ms(None, 5) == 0


@pytest.mark.parametrize(
    ("counts", "patience_ms"),
    [
        (QUIET, 15_000),
        ((), 15_000),
        ((WindowCounts(5_000, calls=2, failures=1),), 5_000),
        ((WindowCounts(250), WindowCounts(5_000, calls=1)), 5_000),
        (HEALTHY, 5_000),
    ],
)
def test_a_step_without_calls_lasts_three_times_as_long(counts: tuple[WindowCounts, ...], patience_ms: int) -> None:
    assert step(RECOVERING, flag(), counts, START + patience_ms - 1).transition is None
    assert step(RECOVERING, flag(), counts, START + patience_ms).circuit.percentage == 55


@pytest.mark.parametrize(
    "counts",
    [
        (WindowCounts(250), WindowCounts(5_000, calls=3, failures=2)),
        (WindowCounts(5_000, calls=1, failures=1),),
        (WindowCounts(250, calls=0), WindowCounts(1_800_000, calls=13, failures=13)),
    ],
)
def test_a_step_that_goes_badly_waits_for_more_calls(counts: tuple[WindowCounts, ...]) -> None:
    settings = replace(SETTINGS, confidence=0.9999)
    assert step(RECOVERING, flag(settings), counts, START + 10**9).transition is None
    whole = counts[-1]
    better = (whole._replace(calls=2 * whole.failures),)
    assert step(RECOVERING, flag(settings), better, START + 10**9).circuit.percentage == 55
    worse = (whole._replace(calls=whole.failures + 13, failures=whole.failures + 13),)
    assert step(RECOVERING, flag(settings), worse, START + 10**9).circuit.state is State.OPEN


@pytest.mark.parametrize(("counts", "interval_ms"), [(HEALTHY, 5_000), (QUIET, 15_000)])
def test_a_step_is_timed_from_when_its_counts_are_complete(counts: tuple[WindowCounts, ...], interval_ms: int) -> None:
    """What is not written yet, after an outage of the time series, must not be taken for health."""
    complete_ms = START + 60_000
    for look_ms, percentage in [
        (START + 59_000, 10),
        (complete_ms, 10),
        (complete_ms + interval_ms - 1, 10),
        (complete_ms + interval_ms, 55),
    ]:
        assert step(RECOVERING, flag(), counts, look_ms, complete_ms).circuit.percentage == percentage


def test_a_breach_and_the_end_of_the_delay_wait_for_no_counts() -> None:
    ahead_ms = START + 10**9
    assert step(RECOVERING, flag(), FAILING, START + 1, ahead_ms).circuit.state is State.OPEN
    assert step(OPEN, flag(), QUIET, START + 30_000, ahead_ms).circuit.state is State.RECOVERING


def test_a_step_with_too_many_slow_calls_does_not_speak_for_itself() -> None:
    settings = replace(SETTINGS, slow_call_ms=500, slow_threshold=20.0)
    slow, fine = (WindowCounts(5_000, calls=4, slow=1),), (WindowCounts(5_000, calls=5, slow=1),)
    assert step(RECOVERING, flag(settings), slow, START + 5_000).transition is None
    assert step(RECOVERING, flag(settings), fine, START + 5_000).transition is not None


@pytest.mark.parametrize("circuit", [Circuit(since_ms=START), OPEN, RECOVERING], ids=lambda circuit: circuit.state)
@pytest.mark.parametrize(
    ("active", "forced_open"), [(False, False), (True, True), (False, True)], ids=["off", "forced", "both"]
)
@pytest.mark.parametrize("counts", [HEALTHY, FAILING, QUIET])
def test_while_a_person_holds_the_flag_off_nothing_moves(
    circuit: Circuit, active: bool, forced_open: bool, counts: tuple[WindowCounts, ...]
) -> None:
    held = flag(replace(SETTINGS, forced_open=forced_open), active=active)
    seen = step(circuit, held, counts, START + 10**9)
    assert seen.circuit is circuit
    assert seen.transition is None


@pytest.mark.parametrize("circuit", [Circuit(trips=2, reason=REASON), OPEN, RECOVERING], ids=lambda c: c.state)
@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("forced_open", [True, False])
def test_a_reset_closes_at_once_whatever_else_holds(circuit: Circuit, active: bool, forced_open: bool) -> None:
    settings = replace(SETTINGS, reset_generation=4, forced_open=forced_open)
    seen = step(circuit, flag(settings, active=active), FAILING, START + 7)
    assert seen.circuit == Circuit(generation=circuit.generation + 1, reset_generation=4, since_ms=START + 7)
    assert seen.transition is not None
    assert seen.transition.signal is Signal.RESET


def test_a_reset_happens_once_and_an_older_ruleset_resets_nothing() -> None:
    circuit = replace(OPEN, reset_generation=4)
    for generation in (4, 3):
        assert step(circuit, flag(replace(SETTINGS, reset_generation=generation)), QUIET, START).transition is None


def test_without_circuit_settings_nothing_moves() -> None:
    for circuit in (Circuit(), OPEN, RECOVERING):
        assert step(circuit, flag(None), FAILING, START + 10**9).circuit is circuit


def test_without_recovery_an_open_circuit_waits_for_a_person() -> None:
    settings = replace(SETTINGS, recovery=None)
    opened = step(Circuit(), flag(settings), FAILING, START).circuit
    assert (opened.state, opened.next_ms) == (State.OPEN, None)
    assert step(opened, flag(settings), HEALTHY, START + 10**12).transition is None
    assert step(opened, flag(replace(settings, reset_generation=1)), (), START + 1).circuit.state is State.CLOSED


def test_an_open_circuit_does_not_trip_again() -> None:
    assert step(OPEN, flag(), FAILING, START + 1).transition is None


@pytest.mark.parametrize("circuit", [Circuit(since_ms=START, trips=1, reason=REASON), OPEN, RECOVERING])
@pytest.mark.parametrize("back_ms", [1, 1_000, START])
def test_a_clock_that_goes_backwards_lets_no_time_pass(circuit: Circuit, back_ms: int) -> None:
    assert step(circuit, flag(), HEALTHY, START - back_ms).transition is None


def test_a_look_long_overdue_moves_by_one_step_only() -> None:
    assert step(OPEN, flag(), QUIET, START + 10**9).circuit.percentage == 10
    assert step(RECOVERING, flag(), QUIET, START + 10**9).circuit.percentage == 55


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", Signal)
def test_a_signal_out_of_the_table_raises_and_changes_nothing(state: State, signal: Signal) -> None:
    circuit = Circuit(state, 40.0, trips=1, generation=3, since_ms=5)
    copy = replace(circuit)
    if (state, signal) in TRANSITIONS:
        assert _move(circuit, signal, SETTINGS, START, None).circuit.state is TRANSITIONS[state, signal]
    else:
        with pytest.raises(IllegalTransition, match=rf"a circuit that is {state} cannot take {signal}"):
            _move(circuit, signal, SETTINGS, START, None)
    assert circuit == copy


def test_a_circuit_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        OPEN.state = State.CLOSED  # type: ignore[misc] # that it cannot be assigned is what this shows


def test_the_table_is_that_of_the_design() -> None:
    moves = {(before, after) for (before, _), after in TRANSITIONS.items() if before is not after}
    assert moves == {
        (State.CLOSED, State.OPEN),
        (State.OPEN, State.RECOVERING),
        (State.RECOVERING, State.OPEN),
        (State.RECOVERING, State.CLOSED),
        (State.OPEN, State.CLOSED),  # by a person only
    }
    assert TRANSITIONS[State.OPEN, Signal.RESET] is State.CLOSED
    assert sum(after is State.CLOSED for (state, _), after in TRANSITIONS.items() if state is State.OPEN) == 1
    assert all((state, Signal.RESET) in TRANSITIONS for state in State)


def test_every_pair_of_state_and_signal_is_decided() -> None:
    assert set(TRANSITIONS) <= set(itertools.product(State, Signal))
    assert {signal for _, signal in TRANSITIONS} == set(Signal) - {Signal.UNKNOWN}


def test_the_diagram_in_the_documents_is_the_generated_one() -> None:
    folder = Path(__file__).parents[2] / "docs" / "circuit"
    spec = importlib.util.spec_from_file_location("circuit_diagram", folder / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.diagram() == (folder / "diagram.md").read_text(encoding="utf-8"), "run docs/circuit/generate.py"


def test_what_follows_the_largest_numbers_can_be_read_again() -> None:
    for circuit in (Circuit(trips=MAX_INTEGER, generation=MAX_INTEGER), Circuit(generation=MAX_INTEGER - 1)):
        after = step(circuit, flag(), FAILING, START).circuit
        assert after.state is State.OPEN
        assert decode_circuit(encode_circuit(after)) == after
    assert step(Circuit(generation=MAX_INTEGER), flag(), FAILING, START).circuit.generation == 1
    assert step(Circuit(generation=MAX_INTEGER - 1), flag(), FAILING, START).circuit.generation == MAX_INTEGER


def test_a_verdict_on_more_calls_than_can_be_written_can_be_read_again() -> None:
    counts = (WindowCounts(10_000, calls=2**62, failures=2**62, slow=0),)
    after = step(Circuit(), flag(), counts, START).circuit
    assert after.state is State.OPEN
    assert decode_circuit(encode_circuit(after)) == after
