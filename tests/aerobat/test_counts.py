from hypothesis import given
from hypothesis import strategies as st

from tailslide_aerobat.counts import COARSE_MS, FINE_MS, OVERLAP_MS, WHOLE_EVERY_MS, Counts, Reading, fine_from, merge
from tailslide_aerobat.timeseries import InMemoryTimeSeries
from tailslide_core.naming import FlagId
from tailslide_core.windows import Sample, WindowCounts, ladder, tally

FLAG, OTHER = FlagId("clinic", "appointments"), FlagId("clinic", "invoices")
NOW_MS = 1_795_363_190_300
REACH_MS = 60_000
RUNGS = ladder(10_000, REACH_MS)

calls = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))


def sample(at_ms: int, success: int, failures: int, slow: int) -> Sample:
    return Sample(at_ms, success + failures, failures, slow)


@st.composite
def histories(draw: st.DrawFn) -> list[Sample]:
    """Samples of 100 ms over about two minutes, ascending."""
    tenths = sorted(draw(st.sets(st.integers(0, 1_200), max_size=60)))
    return [sample(tenth * FINE_MS, *draw(calls)) for tenth in tenths]


@given(histories(), st.lists(st.integers(1, 130), min_size=1, max_size=6, unique=True), st.integers(0, 125))
def test_merged_samples_count_the_same_in_windows_of_whole_seconds(
    history: list[Sample], seconds: list[int], since_s: int
) -> None:
    now_ms = 125 * COARSE_MS - 1  # so that each window begins with a second
    rungs = sorted(second * COARSE_MS for second in seconds)
    since_ms = since_s * COARSE_MS - 1
    raw = tally(reversed(history), rungs, now_ms, since_ms)
    assert tally(reversed(merge(history)), rungs, now_ms, since_ms) == raw


@given(histories(), st.integers(0, 130_000), st.integers(1, 130_000), st.integers(0, 130_000))
def test_merged_samples_never_count_more(history: list[Sample], now_ms: int, window_ms: int, since_ms: int) -> None:
    (raw,) = tally(reversed(history), (window_ms,), now_ms, since_ms)
    (merged,) = tally(reversed(merge(history)), (window_ms,), now_ms, since_ms)
    assert merged.calls <= raw.calls
    assert merged.failures <= raw.failures
    assert merged.slow <= raw.slow


ticks = st.tuples(st.integers(50, 9_000), st.lists(st.tuples(st.integers(0, OVERLAP_MS - 1), calls), max_size=3))


@given(st.lists(ticks, max_size=25))
async def test_reading_what_is_new_comes_to_the_same_as_reading_everything(
    story: list[tuple[int, list[tuple[int, tuple[int, int, int]]]]],
) -> None:
    """Each tick lets time pass and adds calls, some of them late but within the overlap."""
    series, counts = InMemoryTimeSeries(NOW_MS), Counts()
    for passed_ms, added in story:
        series.now_ms += passed_ms
        for late_ms, (success, failure, slow) in added:
            # What is late was on its way when the reading before this one was made, not longer.
            at_ms = series.now_ms - min(late_ms, passed_ms + OVERLAP_MS - 1)
            series.add(FLAG, at_ms=at_ms, success=success, failure=failure, slow=slow)
        from_ms = counts.read_from(REACH_MS)
        reading = await (series.read_whole(REACH_MS) if from_ms is None else series.read_new(from_ms))
        counts.take(reading, REACH_MS)
        anew = Counts()
        anew.take(await series.read_whole(REACH_MS), REACH_MS)
        assert list(counts._newest_first(FLAG)) == list(anew._newest_first(FLAG))


def whole(now_ms: int, *samples: Sample) -> Reading:
    edge_ms = fine_from(now_ms)
    older = [sample for sample in samples if sample.at_ms < edge_ms]
    return Reading(now_ms, edge_ms, {FLAG: [s for s in samples if s.at_ms >= edge_ms]}, {FLAG: merge(older)})


def test_without_samples_there_are_no_calls() -> None:
    counts = Counts()
    assert not counts.has(FLAG)
    assert counts.over(FLAG, (250, 500), NOW_MS, 0) == (WindowCounts(250), WindowCounts(500))


def test_a_reading_replaces_what_it_covers_and_leaves_the_rest() -> None:
    counts = Counts()
    counts.take(whole(NOW_MS, Sample(NOW_MS - 5_000, 1, 0, 0), Sample(NOW_MS - 300, 2, 0, 0)), REACH_MS)
    from_ms = counts.read_from(REACH_MS)
    assert from_ms == NOW_MS - OVERLAP_MS
    counts.take(Reading(NOW_MS + 200, from_ms, {FLAG: [Sample(NOW_MS - 300, 3, 1, 0)]}), REACH_MS)
    assert counts.over(FLAG, (10_000,), NOW_MS + 200, 0) == (WindowCounts(10_000, 4, 1, 0),)


def test_calls_before_since_are_left_out() -> None:
    counts = Counts()
    counts.take(whole(NOW_MS, Sample(NOW_MS - 1_000, 5, 5, 0), Sample(NOW_MS - 500, 2, 0, 0)), REACH_MS)
    assert counts.over(FLAG, RUNGS, NOW_MS, NOW_MS - 900)[-1].calls == 2


def test_a_flag_without_calls_is_forgotten() -> None:
    counts = Counts()
    counts.take(whole(NOW_MS, Sample(NOW_MS - 300, 2, 0, 0)), REACH_MS)
    assert counts.has(FLAG)
    counts.take(Reading(NOW_MS + REACH_MS, NOW_MS + REACH_MS - OVERLAP_MS, {OTHER: []}), REACH_MS)
    assert not counts.has(FLAG)
    assert len(counts) == 0


def test_everything_is_read_at_first_after_forgetting_now_and_then_and_when_a_longer_reach_is_needed() -> None:
    counts = Counts()
    assert counts.read_from(REACH_MS) is None
    counts.take(whole(NOW_MS), REACH_MS)
    assert counts.read_from(REACH_MS) == NOW_MS - OVERLAP_MS
    assert counts.read_from(REACH_MS + 1) is None
    counts.forget()
    assert counts.read_from(REACH_MS) is None
    counts.take(whole(NOW_MS), REACH_MS)
    counts.take(Reading(NOW_MS + WHOLE_EVERY_MS, NOW_MS, {}), REACH_MS)
    assert counts.read_from(REACH_MS) is None


def test_a_clock_that_goes_back_does_not_continue() -> None:
    counts = Counts()
    counts.take(whole(NOW_MS), REACH_MS)
    assert counts.continues(Reading(NOW_MS, NOW_MS - OVERLAP_MS, {}))
    assert not counts.continues(Reading(NOW_MS - 1, NOW_MS - OVERLAP_MS, {}))
