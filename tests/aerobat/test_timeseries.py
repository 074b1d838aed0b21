import pytest

from tailslide_aerobat.timeseries import InMemoryTimeSeries, TimeSeriesError, _points, _range, _samples
from tailslide_core.naming import FlagId
from tailslide_core.windows import Sample

FLAG = FlagId("clinic", "appointments")

SERIES: list[tuple[dict[bytes, bytes | None], list[tuple[int, int]]]] = [
    ({b"app": b"clinic", b"flag": b"appointments", b"metric": b"success"}, [(1000, 3), (1100, 4)]),
    ({b"app": b"clinic", b"flag": b"appointments", b"metric": b"failure"}, [(1100, 2)]),
    ({b"app": b"clinic", b"flag": b"appointments", b"metric": b"slow"}, [(1000, 1)]),
    ({b"app": None, b"flag": None, b"metric": b"success"}, [(1000, 9)]),  # somebody else's
]
RESP3 = {
    b"key %d" % number: [labels, {b"aggregators": [b"sum"]}, [[at_ms, float(value)] for at_ms, value in points]]
    for number, (labels, points) in enumerate(SERIES)
}
RESP2 = [
    [b"key", [[name, label] for name, label in labels.items()], [[at_ms, b"%d" % value] for at_ms, value in points]]
    for labels, points in SERIES
]


@pytest.mark.parametrize("answer", [RESP3, RESP2])
def test_the_series_of_a_flag_are_put_together(answer: object) -> None:
    assert _samples(_points(answer)) == {FLAG: [Sample(1000, 3, 0, 1), Sample(1100, 6, 2, 0)]}


@pytest.mark.parametrize("answer", [{}, []])
def test_no_series_are_no_samples(answer: object) -> None:
    assert _samples(_points(answer)) == {}


def test_the_query_asks_for_raw_series_only() -> None:
    assert " ".join(map(str, _range(1000, "+", 100))) == (
        "TS.MRANGE 1000 + SELECTED_LABELS app flag metric AGGREGATION sum 100"
        " FILTER metric=(success,failure,slow) resolution="
    )


async def test_the_twin_sums_by_the_bucket() -> None:
    series = InMemoryTimeSeries(100_000)
    series.add(FLAG, at_ms=99_910, success=1)
    series.add(FLAG, at_ms=99_990, failure=2)
    series.add(FLAG, at_ms=50_300, success=4)
    series.add(FLAG, at_ms=50_900, slow=1)
    assert (await series.read_new(99_900)).fine == {FLAG: [Sample(99_900, 3, 2, 0)]}
    whole = await series.read_whole(60_000)
    assert (whole.now_ms, whole.from_ms) == (100_000, 85_000)
    assert whole.older == {FLAG: [Sample(50_000, 4, 0, 1)]}


async def test_the_twin_fails_when_told() -> None:
    series = InMemoryTimeSeries(100_000)
    series.error = "gone"
    with pytest.raises(TimeSeriesError, match="gone"):
        await series.read_new(0)
