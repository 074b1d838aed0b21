"""How many calls may be reported: never more than the rate and one batch, and all that keeps to the rate."""

from hypothesis import given
from hypothesis import strategies as st

from tailslide_sidecar.report_allowance import BATCH_S, Allowance

rates = st.integers(1, 1_000)
pauses = st.integers(0, 2_000).map(lambda hundredths: hundredths / 100)


@given(rates, st.lists(st.tuples(pauses, st.floats(0, 1)), max_size=40))
def test_in_any_stretch_of_time_no_more_than_the_rate_and_a_batch(rate: int, asks: list[tuple[float, float]]) -> None:
    allowance, now_s = Allowance(rate), 0.0
    taken: list[tuple[float, int]] = []
    for pause_s, share in asks:
        now_s += pause_s
        calls = max(round(share * allowance.most), 1)
        if allowance.take("f", calls, now_s) == 0:
            taken.append((now_s, calls))
    for first, (begin_s, _) in enumerate(taken):
        for last in range(first, len(taken)):
            calls = sum(calls for _, calls in taken[first : last + 1])
            assert calls <= allowance.most + rate * (taken[last][0] - begin_s) + 1e-6


@given(rates, st.lists(st.integers(1, BATCH_S), min_size=1, max_size=40))
def test_who_keeps_to_the_rate_is_never_refused(rate: int, waits_s: list[int]) -> None:
    allowance, now_s = Allowance(rate), 0.0
    for wait_s in waits_s:
        now_s += wait_s
        assert allowance.take("f", rate * wait_s, now_s) == 0


@given(rates, st.lists(st.integers(1, 10_000), min_size=1, max_size=20))
def test_what_is_refused_is_taken_when_the_time_is_up_and_no_sooner(rate: int, asks: list[int]) -> None:
    allowance = Allowance(rate)
    for asked in asks:
        calls = min(asked, allowance.most)
        wait_s = allowance.take("f", calls, 0.0)
        if wait_s:
            assert wait_s == 1 or allowance.take("f", calls, wait_s - 1.001) > 0
            assert allowance.take("f", calls, float(wait_s)) == 0
            return


def test_flags_have_their_own() -> None:
    allowance = Allowance(10)
    assert allowance.take("a", 100, 0.0) == 0
    assert allowance.take("a", 1, 0.0) == 1
    assert allowance.take("b", 100, 0.0) == 0
