"""Outcomes reach the series once, at their time, also across outages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_sidecar.flusher import MAX_BACKOFF_S, Flusher
from tailslide_sidecar.outcome_buffer import KEEP_S, OutcomeBuffer
from tailslide_sidecar.timeseries import MemorySeries

KEY = ("f", "success")


class Bench:
    """A flusher on the series in memory, and one clock for both."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.buffer = OutcomeBuffer()
        self.series = MemorySeries()
        self.written = 0
        self.unconfirmed = 0
        self.ahead_ms = 7_777
        """The server has a clock of its own."""
        self.flusher = Flusher(
            self.buffer,
            self.series,
            0.1,
            written=self.count,
            unconfirmed=self.count_unconfirmed,
            clock=lambda: self.now_s,
        )

    def count(self, number: int) -> None:
        self.written += number

    def count_unconfirmed(self, number: int) -> None:
        self.unconfirmed += number

    async def pass_time(self, seconds: float) -> None:
        self.now_s += seconds
        self.series.clock_ms = round(self.now_s * 1000) + self.ahead_ms
        await self.flusher.flush()

    def arrived(self) -> dict[int, int]:
        return {at - self.ahead_ms: count for at, count in self.series.samples.get(KEY, {}).items()}


async def test_nothing_is_written_when_nothing_happened() -> None:
    bench = Bench()
    await bench.pass_time(0.1)
    bench.buffer.add(*KEY)
    await bench.pass_time(0.1)
    assert bench.arrived() == {1_000_200: 1}
    assert (bench.written, bench.buffer.waiting) == (1, 0)


async def test_what_was_sent_and_not_answered_is_not_said_to_be_written() -> None:
    bench = Bench()
    bench.series.hangs = True
    bench.buffer.add(*KEY, 3)
    await bench.pass_time(0.1)
    assert (bench.unconfirmed, bench.written, bench.buffer.waiting) == (3, 0, 0)
    bench.buffer.add(*KEY, 4)
    await bench.pass_time(2.0)  # while it hangs it is asked for the time first, and nothing is sent
    assert (bench.unconfirmed, bench.written, bench.buffer.waiting) == (3, 0, 4)
    bench.series.hangs = False
    await bench.pass_time(3.0)
    assert (bench.unconfirmed, bench.written, bench.buffer.waiting) == (3, 4, 0)


async def test_an_outage_is_caught_up_with_at_its_time() -> None:
    bench = Bench()
    bench.series.available = False
    for _ in range(30):
        bench.buffer.add(*KEY)
        await bench.pass_time(0.1)
    assert (bench.arrived(), bench.buffer.waiting, bench.flusher.connected) == ({}, 30, False)
    bench.series.available = True
    await bench.pass_time(MAX_BACKOFF_S)

    arrived = bench.arrived()

    assert sum(arrived.values()) == bench.written == 30
    assert sorted(arrived) == pytest.approx([1_000_100, 1_001_100, 1_002_100], abs=100)
    assert (bench.buffer.waiting, bench.flusher.connected) == (0, True)


async def test_slots_are_dated_by_the_clock_that_redis_has_when_it_is_back() -> None:
    bench = Bench()
    bench.series.available = False
    for _ in range(3):
        bench.buffer.add(*KEY)
        await bench.pass_time(1.5)
    bench.series.available, bench.ahead_ms = True, -3_600_000
    await bench.pass_time(MAX_BACKOFF_S)
    assert bench.arrived() == {1_001_500: 1, 1_003_000: 1, 1_004_500: 1}


async def test_what_has_no_place_is_given_up_and_holds_up_nothing() -> None:
    bench = Bench()
    bench.series.taken.add(KEY)
    bench.buffer.add(*KEY, 3)
    bench.buffer.add("f", "failure")
    await bench.pass_time(0.1)
    assert (bench.written, bench.buffer.dropped, bench.buffer.waiting) == (1, 3, 0)
    bench.series.available = False
    bench.buffer.add(*KEY, 2)
    await bench.pass_time(0.1)
    assert (bench.buffer.dropped, bench.buffer.waiting) == (3, 2)
    bench.series.available = True
    await bench.pass_time(MAX_BACKOFF_S)
    assert (bench.written, bench.buffer.dropped, bench.buffer.waiting) == (1, 5, 0)


async def test_counts_without_their_marks_are_no_good_connection() -> None:
    bench = Bench()
    for unmarked in ("f", ""):
        bench.series.unmarked = set(unmarked)
        bench.buffer.add(*KEY)
        await bench.pass_time(0.1)
        assert bench.flusher.connected is not bool(unmarked)
    assert bench.written == 2


async def test_what_is_older_than_five_minutes_is_given_up() -> None:
    bench = Bench()
    bench.series.available = False
    bench.buffer.add(*KEY)
    await bench.pass_time(0.1)
    await bench.pass_time(KEEP_S + 1)
    assert (bench.buffer.waiting, bench.buffer.dropped) == (0, 1)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.05, 3), st.booleans()), max_size=30))
async def test_every_count_arrives_once_and_near_its_time(steps: list[tuple[int, float, bool]]) -> None:
    bench, counted = Bench(), 0
    for number, seconds, available in steps:
        for _ in range(number):
            bench.buffer.add(*KEY)
        counted += number
        bench.series.available = available
        await bench.pass_time(seconds)
    bench.series.available = True
    await bench.pass_time(MAX_BACKOFF_S)
    await bench.pass_time(MAX_BACKOFF_S)
    assert sum(bench.arrived().values()) == bench.written == counted
    assert all(1_000_000 <= at <= round(bench.now_s * 1000) for at in bench.arrived())


async def test_the_end_writes_what_is_left() -> None:
    bench = Bench()
    bench.buffer.add(*KEY)
    await bench.flusher.finish()
    assert bench.written == 1
