"""What settings would have done on counts of the past."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.circuit import TRANSITIONS, Signal, State
from tailslide_core.preview import KeptCounts, Preview, preview
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset

START = 1_795_363_190_000
FLAG = Ruleset("shop", "search", 1, active=False, rollout=25.0, salt="search")
RECOVERY = Recovery(delay_ms=5_000, max_delay_ms=20_000, initial=50, increment=50, interval_ms=2_000)
SETTINGS = CircuitSettings(recovery=RECOVERY, long_window_ms=60_000)


def kept(*stretches: tuple[int, int, int], bucket_ms: int = 250, slow: bool = False) -> KeptCounts:
    """Return counts made of stretches: how many buckets, and the calls and bad ones in each of them."""
    calls = [each for count, each, _ in stretches for _ in range(count)]
    bad = [each for count, _, each in stretches for _ in range(count)]
    none = [0] * len(calls)
    return KeptCounts(START, bucket_ms, calls, none if slow else bad, bad if slow else none)


def story(found: Preview) -> list[tuple[str, int, float]]:
    return [
        (transition.signal.value, transition.at_ms - START, transition.after.percentage)
        for transition in found.transitions
    ]


def test_a_failing_feature_opens_the_circuit_and_comes_back_when_it_is_healthy() -> None:
    found = preview(FLAG, SETTINGS, kept((40, 20, 0), (8, 20, 20), (60, 20, 0)))
    assert story(found) == [
        ("breach", 10_250, 0.0),
        ("delay_over", 15_250, 50.0),
        ("ramp_finished", 17_250, 100.0),
        ("calm", 22_250, 100.0),
    ]
    reason = found.transitions[0].after.reason
    assert reason is not None
    assert (reason.observed, reason.calls, reason.window_ms) == (100.0, 20, 250)
    assert found.circuit.state is State.CLOSED
    assert (found.open_ms, found.recovering_ms) == (5_000, 2_000)
    # 7 of the 8 failing buckets come after the trip; then all good calls while it is open, and half of them after.
    assert (found.failures, found.avoided_failures) == (160, 140)
    assert found.avoided_successes == 13 * 20 + 8 * 20 / 2


def test_a_feature_that_stays_broken_is_opened_again_for_twice_as_long() -> None:
    found = preview(FLAG, SETTINGS, kept((40, 20, 0), (200, 20, 20)))
    opened = [at_ms for signal, at_ms, _ in story(found) if signal == "breach"]
    assert opened[:3] == [10_250, 15_750, 26_250]
    assert found.circuit.state is not State.CLOSED


def test_a_healthy_feature_and_one_below_its_threshold_move_nothing() -> None:
    for bad in (0, 5):
        found = preview(FLAG, SETTINGS, kept((400, 20, bad)))
        assert found.transitions == ()
        assert found.avoided_failures == found.open_ms == 0
    assert preview(FLAG, SETTINGS, kept()).transitions == ()


def test_a_lower_threshold_would_have_opened_it() -> None:
    counts = kept((400, 20, 5))
    assert story(preview(FLAG, replace(SETTINGS, error_threshold=10.0), counts))[0][0] == "breach"


def test_slow_calls_count_where_they_are_judged() -> None:
    counts = kept((40, 20, 0), (40, 20, 20), slow=True)
    assert preview(FLAG, SETTINGS, counts).transitions == ()
    judged = preview(FLAG, replace(SETTINGS, slow_call_ms=500, slow_threshold=50.0), counts)
    assert story(judged)[0] == ("breach", 10_250, 0.0)


def test_without_recovery_it_waits_for_a_person_to_the_end() -> None:
    found = preview(FLAG, replace(SETTINGS, recovery=None), kept((4, 20, 20), (400, 20, 0)))
    assert [signal for signal, _, _ in story(found)] == ["breach"]
    assert found.circuit.state is State.OPEN
    assert found.open_ms == 403 * 250


def test_forced_open_settings_are_simulated_as_if_they_were_not() -> None:
    found = preview(FLAG, replace(SETTINGS, forced_open=True, reset_generation=7), kept((40, 20, 20)))
    assert found.transitions[0].signal is Signal.BREACH
    assert found.transitions[0].after.reset_generation == 7


@pytest.mark.parametrize("bucket_ms", [250, 10_000])
def test_a_step_of_a_recovery_lasts_at_least_a_bucket(bucket_ms: int) -> None:
    found = preview(FLAG, SETTINGS, kept((10, 800, 0), (3, 800, 800), (60, 800, 0), bucket_ms=bucket_ms))
    moments = [at_ms for _, at_ms, _ in story(found)]
    assert moments == sorted(moments)
    assert all(at_ms % bucket_ms == 0 for at_ms in moments)
    assert found.circuit.state is State.CLOSED


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 60), st.integers(0, 60)), max_size=12),
    st.sampled_from([250, 1_000, 10_000]),
    st.floats(1, 99),
)
def test_every_move_is_one_of_the_table_and_nothing_is_avoided_twice(
    stretches: list[tuple[int, int, int]], bucket_ms: int, threshold: float
) -> None:
    counts = kept(*((count, max(calls, bad), bad) for count, calls, bad in stretches), bucket_ms=bucket_ms)
    found = preview(FLAG, replace(SETTINGS, error_threshold=threshold), counts)
    before = State.CLOSED
    for transition in found.transitions:
        assert transition.before.state is before
        assert TRANSITIONS[before, transition.signal] is transition.after.state
        before = transition.after.state
    assert found.circuit.state is before
    assert found.open_ms + found.recovering_ms <= len(counts.calls) * bucket_ms
    assert 0 <= found.avoided_failures <= found.failures == sum(counts.failures)
