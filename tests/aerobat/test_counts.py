"""Which flags are read, and from when on; that what is kept comes to the same as reading everything."""

from dataclasses import replace

from aerobat_court import FLAG, NOW_MS, RULESET, SETTINGS
from hypothesis import given
from hypothesis import strategies as st

from tailslide_aerobat.counts import BATCH, OVERLAP_MS, SET_ASIDE_MS, WHOLE_BATCH, Counts
from tailslide_aerobat.flags import Judged
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.timeseries import LONG_TICK_MS, InMemoryTimeSeries
from tailslide_aerobat.troubles import Troubles
from tailslide_core.circuit import Circuit
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import CircuitSettings
from tailslide_core.windows import WindowCounts, ladder

OTHER = FlagId("clinic", "invoices")
FOREIGN = FlagId("shop", "basket")
SLOW = replace(SETTINGS, slow_call_ms=500, slow_threshold=50.0)
RUNGS = ladder(SETTINGS.window_ms, SETTINGS.long_window_ms)


def judged(flag_id: FlagId = FLAG, settings: CircuitSettings = SETTINGS) -> Judged:
    ruleset = replace(RULESET, app=flag_id.app, key=flag_id.flag, circuit=settings)
    return Judged(flag_id, ruleset, settings, Circuit(), None)


async def look(counts: Counts, *flags: Judged) -> int:
    """Look once at these flags, as the judge does; return the time."""
    return (await look_for_bad_calls(counts, *flags))[0]


async def look_for_bad_calls(counts: Counts, *flags: Judged) -> tuple[int, list[FlagId]]:
    marks = await counts.marks({flag.flag_id.app for flag in flags})
    marked = {*marks.busy, *marks.late}
    batches = counts.read([flag for flag in flags if flag.flag_id in marked], marks)
    return marks.now_ms, [flag.flag_id async for batch in batches for flag in batch]


def over(counts: Counts, now_ms: int, flag_id: FlagId = FLAG) -> tuple[WindowCounts, ...]:
    return counts.over(flag_id, RUNGS, now_ms, 0)


calls = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
late = st.none() | st.integers(0, 300_000)
ticks = st.tuples(
    st.integers(0, 2_500) | st.integers(0, 20_000),
    st.lists(st.tuples(st.sampled_from([FLAG, OTHER]), late, calls), max_size=3),
)


@given(st.lists(ticks, max_size=25))
async def test_reading_what_is_new_comes_to_the_same_as_reading_everything(
    story: list[tuple[int, list[tuple[FlagId, int | None, tuple[int, int, int]]]]],
) -> None:
    """Each tick lets time pass and adds calls, some of them late after an outage."""
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    flags = judged(settings=SLOW), judged(OTHER, settings=SLOW)
    long = any(passed_ms > LONG_TICK_MS for passed_ms, _ in story)
    for passed_ms, added in story:
        series.now_ms += passed_ms
        for flag_id, late_ms, (success, failure, slow) in added:
            at_ms = None if late_ms is None else series.now_ms - late_ms
            series.add(flag_id, at_ms=at_ms, success=success, failure=failure, slow=slow)
        now_ms = await look(counts, *flags)
        anew = Counts(series, Troubles(Metrics()))
        await look(anew, *flags)
        for flag in flags:
            mine, other = (list(over(each, now_ms, flag.flag_id)) for each in (counts, anew))
            # After a long tick, and with age, samples are of a second or more: what is at an edge may be left out.
            exact = [window for window in mine if window.window_ms <= (1_000 if long else 10_000)]
            assert exact == other[: len(exact)]
            assert counts.over(flag.flag_id, (600_000,), now_ms, 0) == anew.over(flag.flag_id, (600_000,), now_ms, 0)


async def test_a_flag_that_is_not_busy_is_not_read() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    series.add(FLAG, success=1)
    await look(counts, judged(), judged(OTHER))
    assert series.read == [(None, {FLAG})]
    assert len(counts) == 1


async def test_a_known_flag_is_read_from_the_last_look_on_until_its_mark_is_old() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    series.add(FLAG, success=1)
    await look(counts, judged())
    for passed_ms in (250, OVERLAP_MS - 250, 1, 250, 250):
        series.now_ms += passed_ms
        await look(counts, judged())
    assert [from_ms for from_ms, _ in series.read] == [None, NOW_MS, NOW_MS + 200, NOW_MS + OVERLAP_MS]


async def test_a_mark_of_long_ago_is_enough_for_what_was_never_read() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    series.add(FLAG, failure=3)
    series.now_ms += 1_000_000
    counts = Counts(series, Troubles(Metrics()))
    assert over(counts, await look(counts, judged()))[-1].failures == 3


async def test_what_is_judged_by_anew_is_read_anew() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    series.add(FLAG, success=4, slow=4)
    now_ms = await look(counts, judged())
    assert over(counts, now_ms)[-1].slow == 0
    for settings in (SLOW, replace(SLOW, long_window_ms=60_000), SETTINGS):
        now_ms = await look(counts, judged(settings=settings))
        assert series.read[-1] == (None, {FLAG})
        assert over(counts, now_ms)[-1].slow == (0 if settings.slow_threshold is None else 4)


async def test_an_app_that_was_given_away_is_read_whole_when_it_comes_back() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    series.add(FOREIGN, failure=5)
    series.add(FLAG, success=1)
    await look(counts, judged(), judged(FOREIGN))
    await look(counts, judged())
    assert over(counts, NOW_MS, FOREIGN)[-1].calls == 0
    series.now_ms += 60_000
    now_ms = await look(counts, judged(), judged(FOREIGN))
    assert series.read[-1] == (None, {FOREIGN})
    assert over(counts, now_ms, FOREIGN)[-1].failures == 5


async def test_a_clock_that_goes_back_has_everything_read_anew() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    series.add(FLAG, success=1)
    await look(counts, judged())
    series.now_ms -= 5_000
    series.add(FLAG, success=1)
    await look(counts, judged())
    assert series.read == [(None, {FLAG})] * 2


async def test_what_was_late_before_the_clock_was_set_back_is_read_once() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    series.add(FLAG, at_ms=NOW_MS - 5_000, success=1)
    await look(counts, judged())
    series.now_ms -= 3_600_000
    for _ in range(3):
        series.now_ms += 250
        await look(counts, judged())
    assert series.read.count((None, {FLAG})) == 2
    series.add(FLAG, at_ms=series.now_ms - 5_000, success=1)
    series.now_ms += 250
    now_ms = await look(counts, judged())
    assert over(counts, now_ms)[-1].calls == 1


async def test_what_is_stamped_ahead_of_the_clock_counts_when_its_time_comes() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    series.add(FLAG, success=1)
    series.add(FLAG, at_ms=NOW_MS + 300, failure=1)
    assert over(counts, await look(counts, judged()))[-1].failures == 0
    series.now_ms += 400
    assert over(counts, await look(counts, judged()))[-1].failures == 1


async def test_a_flag_that_falls_silent_is_forgotten_in_the_end() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    series.add(FLAG, failure=1)
    await look(counts, judged())
    assert len(counts) == 1
    for _ in range(2):
        series.now_ms += SETTINGS.long_window_ms
        await look(counts, judged())
    assert len(counts) == 0


async def test_only_flags_with_new_bad_calls_are_to_be_looked_at() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    flags = judged(settings=SLOW), judged(OTHER)
    added = [
        ({"success": 5}, {"failure": 1}, [OTHER]),
        ({"success": 5, "slow": 1}, {"success": 2}, [FLAG]),
        ({"success": 5}, {"success": 2}, []),
        ({"failure": 1}, {"failure": 3}, [FLAG, OTHER]),
        ({}, {}, []),
    ]
    for of_flag, of_other, expected in added:
        series.now_ms += 250
        series.add(FLAG, **of_flag)
        series.add(OTHER, **of_other)
        assert (await look_for_bad_calls(counts, *flags))[1] == expected


async def test_after_a_long_tick_fewer_buckets_are_read_and_nothing_is_lost() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    series.add(FLAG, failure=1)
    await look(counts, judged())
    for _ in range(10):
        series.now_ms += 400
        series.add(FLAG, failure=1)
    now_ms = await look(counts, judged())
    assert series.read[-1] == (NOW_MS // 1000 * 1000, {FLAG})
    assert over(counts, now_ms)[-1].failures == 11


async def test_many_flags_are_read_in_batches() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    counts = Counts(series, Troubles(Metrics()))
    flags = [judged(FlagId("clinic", f"flag-{number}")) for number in range(BATCH + 1)]
    for _ in range(2):
        for flag in flags:
            series.add(flag.flag_id, success=1)
        await look(counts, *flags)
    assert [len(read) for from_ms, read in series.read if from_ms is not None] == [BATCH, 1]
    assert len(counts) == BATCH + 1


async def test_flags_that_are_set_aside_are_tried_again_some_at_a_time() -> None:
    counts = Counts(InMemoryTimeSeries(NOW_MS), Troubles(Metrics()))
    flags = [FlagId("clinic", f"f{number}") for number in range(3 * WHOLE_BATCH)]
    for flag_id in flags:
        counts.set_aside(flag_id, NOW_MS)
    assert counts.due_again(NOW_MS + SET_ASIDE_MS - 1) == set()
    seen: set[FlagId] = set()
    for tick in range(3):
        now_ms = NOW_MS + SET_ASIDE_MS + tick
        due = counts.due_again(now_ms)
        assert len(due) == WHOLE_BATCH
        assert not due & seen
        seen |= due
        for flag_id in due:
            counts.set_aside(flag_id, now_ms)
    assert seen == set(flags)
    assert all(map(counts.is_aside, flags))
    counts.forget_flag(flags[0])
    assert not counts.is_aside(flags[0])
