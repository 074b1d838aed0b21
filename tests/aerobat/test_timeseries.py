import pytest
from aerobat_court import FLAG

from tailslide_aerobat.history import Samples
from tailslide_aerobat.timeseries import (
    LONG_TICK_MS,
    MOST_MARKED,
    NO_SERIES,
    REFUSED,
    InMemoryTimeSeries,
    Marks,
    New,
    TimeSeriesError,
    Wanted,
    _flag_id,
    _marks_of,
    _samples,
)
from tailslide_core.naming import FlagId

OTHER = FlagId("clinic", "invoices")
NOW_MS = 1_000_100_000


def test_the_metrics_of_each_flag_are_put_together() -> None:
    flags = [Wanted(FLAG, slow=True), Wanted(OTHER, slow=False), Wanted(FLAG, slow=False)]
    answer = [4, 1000, 3, 1100, 4]  # success of the first
    answer += [2, 1100, 2]  # its failures
    answer += [2, 900, 1]  # its slow calls
    answer += [0, 2, 900, 7]  # of the second
    answer += [4, 800, 1, 900, 2, 0]  # of the third
    assert _samples(flags, answer) == [
        Samples([900, 1000, 1100], [0, 3, 6], [0, 0, 2], [1, 0, 0]),
        Samples([900], [7], [7], [0]),
        Samples([800, 900], [1, 2], (0, 0), (0, 0)),
    ]


def test_no_points_are_no_samples() -> None:
    assert _samples([Wanted(FLAG, slow=True)], [0, 0, 0]) == [Samples([], [], (), ())]


def test_the_marks_of_each_app_are_read_and_what_can_be_no_flag_is_left_out() -> None:
    answer = [NOW_MS, [b"appointments", b"No Flag"], [], [b"basket"], [b"basket", b"1000099000", b"\xff", b"1"]]
    basket = FlagId("shop", "basket")
    assert _marks_of(["clinic", "shop"], answer) == Marks(NOW_MS, [FLAG, basket], {basket: 1_000_099_000})


def test_what_is_new_begins_with_the_bucket_of_the_last_look() -> None:
    assert New.since(NOW_MS + 250, NOW_MS + 500).ranges() == [(NOW_MS + 200, NOW_MS + 500, 100)]
    late_ms = NOW_MS + 250 + LONG_TICK_MS
    assert New.since(NOW_MS + 250, late_ms).ranges() == [(NOW_MS + 200, late_ms, 100)]
    assert New.since(NOW_MS + 250, NOW_MS + 4_100).ranges() == [
        (NOW_MS, NOW_MS + 2_999, 1_000),
        (NOW_MS + 3_000, NOW_MS + 4_100, 100),
    ]


async def test_the_twin_sums_by_the_bucket() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    for age_ms, success, failure in ((90, 1, 0), (10, 0, 2), (49_700, 4, 0), (49_100, 0, 1), (99_000, 1, 0)):
        series.add(FLAG, at_ms=NOW_MS - age_ms, success=success, failure=failure)
    flags = [Wanted(FLAG, slow=False)]
    (new,) = await series.read_new(flags, New(NOW_MS - 100, NOW_MS - 100, NOW_MS))
    assert new == Samples([NOW_MS - 100], [3], [2], [0])
    (whole,) = await series.read_whole(flags, NOW_MS, 100_000)
    assert whole == Samples([NOW_MS - 100_000, NOW_MS - 50_000, NOW_MS - 100], [1, 5, 3], [0, 1, 2], [0, 0, 0])


async def test_the_twin_knows_what_was_counted_when() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    series.add(FLAG, success=1)
    series.now_ms += 100
    series.add(OTHER, at_ms=NOW_MS - 60_000, success=1)
    assert await series.marks(["clinic"], None) == Marks(NOW_MS + 100, [FLAG], {OTHER: NOW_MS + 100})
    assert await series.marks(["clinic"], NOW_MS + 1) == Marks(NOW_MS + 100, [], {OTHER: NOW_MS + 100})
    assert await series.marks(["shop"], None) == Marks(NOW_MS + 100, [])


async def test_the_twin_fails_when_told() -> None:
    series = InMemoryTimeSeries(NOW_MS)
    series.error = "gone"
    for asked in (series.marks([], None), series.read_new([], New(0, 0, 0)), series.read_whole([], 0, 0)):
        with pytest.raises(TimeSeriesError, match="gone"):
            await asked


def test_a_bucket_of_which_any_metric_is_no_count_is_left_out_with_all_of_them() -> None:
    answer = [6, 900, 1, 1000, REFUSED, 1100, 4]
    answer += [4, 1100, REFUSED, 1200, 2]
    answer += [2, 1000, 5]
    assert _samples([Wanted(FLAG, slow=True)], answer) == [Samples([900, 1200], [1, 2], [0, 2], [0, 0], refused=2)]


def test_a_flag_with_a_key_that_is_no_series_has_no_samples_and_the_next_flag_has_its_own() -> None:
    flags = [Wanted(FLAG, slow=True), Wanted(OTHER, slow=False)]
    for first in ([NO_SERIES, 2, 900, 1, 0], [2, 900, 1, NO_SERIES, 0], [0, 0, NO_SERIES]):
        assert _samples(flags, [*first, 2, 900, 7, 0]) == [None, Samples([900], [7], (0,), (0,))]


def test_marks_that_are_none_are_those_of_one_app() -> None:
    wrong = b"WRONGTYPE Operation against a key holding the wrong kind of value"
    for busy, late in ((wrong, []), ([], wrong), ([b"a"] * (MOST_MARKED + 1), []), ([], [b"a", b"1"] * 50_001)):
        marks = _marks_of(["clinic", "shop"], [NOW_MS, busy, late, [b"basket"], []])
        assert (marks.busy, list(marks.unreadable)) == ([FlagId("shop", "basket")], ["clinic"])


def test_members_that_are_too_long_for_a_key_are_not_kept() -> None:
    _flag_id.cache_clear()
    long = b"x" * 1_000
    marks = _marks_of(["clinic"], [NOW_MS, [long, b"a"], [long, b"1", b"b", b"2"]])
    assert (marks.busy, list(marks.late)) == ([FlagId("clinic", "a")], [FlagId("clinic", "b")])
    assert _flag_id.cache_info().currsize == 2


def test_a_mark_of_any_score_is_a_mark() -> None:
    scored = [b"a", b"inf", b"b", b"-inf", b"c", b"9e300", b"d", b"1.5"]
    late = _marks_of(["clinic"], [NOW_MS, [], scored]).late
    assert {flag_id.flag: at_ms for flag_id, at_ms in late.items()} == {"a": 2**53, "b": 0, "c": 2**53, "d": 1}


@pytest.mark.parametrize("count", [-5, 9 * 10**18, 2**53 + 1])
async def test_the_twin_refuses_what_is_no_count(count: int) -> None:
    series = InMemoryTimeSeries(NOW_MS)
    series.add(FLAG, at_ms=NOW_MS - 50, success=count, failure=3)
    series.add(FLAG, at_ms=NOW_MS - 150, success=2)
    (new,) = await series.read_new([Wanted(FLAG, slow=False)], New(NOW_MS - 200, NOW_MS - 200, NOW_MS))
    assert new == Samples([NOW_MS - 200], [2], (0,), (0,), refused=1)
