"""Evaluations by variant and rule reach the series as differences, ten seconds apart."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs

from tailslide_core.decisions import Decision, Reason
from tailslide_core.naming import EVALUATIONS_EVERY_MS
from tailslide_sidecar.evaluation_counts import EvaluationCounts
from tailslide_sidecar.evaluation_series import AT_ONCE, EvaluationSeries
from tailslide_sidecar.flusher import MAX_BACKOFF_S, Flusher
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.timeseries import MemorySeries, SeriesUnavailableError

EVERY_S = EVALUATIONS_EVERY_MS / 1000


class Answer(NamedTuple):
    flag: str
    variant: str
    rule: str | None = None


class Counts:
    """What the sidecar has counted since it was last asked."""

    def __init__(self) -> None:
        self.new: Counter[Answer] = Counter()

    def changes(self) -> Iterator[tuple[Answer, int]]:
        taken, self.new = self.new, Counter()
        yield from taken.items()


class Bench:
    """Evaluations on the series in memory, with a clock."""

    def __init__(self, most: int = 10_000) -> None:
        self.now_s = 1_000.0
        self.counts = Counts()
        self.series = MemorySeries()
        self.dropped = 0
        self.written = EvaluationSeries(
            self.counts, self.series, dropped=self.drop, most=most, clock=lambda: self.now_s
        )
        self.flusher = Flusher(
            OutcomeBuffer(),
            self.series,
            0.1,
            self.written,
            written=lambda _: None,
            unconfirmed=lambda _: None,
            clock=lambda: self.now_s,
        )

    def drop(self, count: int) -> None:
        self.dropped += count

    def evaluate(self, flag: str, variant: str, rule: str | None = None, times: int = 1) -> None:
        self.counts.new[Answer(flag, variant, rule)] += times

    async def pass_time(self, seconds: float) -> None:
        self.now_s += seconds
        self.series.clock_ms = round(self.now_s * 1000)
        await self.flusher.flush()
        await self.flusher.flush_evaluations()

    def samples(self) -> dict[tuple[str, str], list[int]]:
        return {key: list(series.values()) for key, series in self.series.samples.items()}


async def test_differences_are_written_every_ten_seconds() -> None:
    bench = Bench()
    bench.evaluate("f", "on", times=3)
    await bench.pass_time(EVERY_S - 0.1)
    assert bench.samples() == {}
    bench.evaluate("f", "on", "beta")
    bench.evaluate("f", "off", times=2)
    await bench.pass_time(0.1)
    assert bench.samples() == {("f", "variant:on"): [4], ("f", "rule:beta"): [1], ("f", "variant:off"): [2]}
    bench.evaluate("f", "on", times=5)
    await bench.pass_time(EVERY_S)
    await bench.pass_time(EVERY_S)
    assert bench.samples() == {("f", "variant:on"): [4, 5], ("f", "rule:beta"): [1], ("f", "variant:off"): [2]}


async def test_what_an_outage_holds_up_is_written_in_one_sum() -> None:
    bench = Bench()
    bench.series.available = False
    for _ in range(3):
        bench.evaluate("f", "on", times=2)
        await bench.pass_time(EVERY_S)
    assert (bench.samples(), bench.flusher.connected) == ({}, False)
    bench.series.available = True
    await bench.pass_time(MAX_BACKOFF_S)
    assert (bench.samples(), bench.flusher.connected) == ({("f", "variant:on"): [6]}, True)


async def test_what_was_sent_and_not_answered_is_not_written_twice() -> None:
    bench = Bench()
    bench.evaluate("f", "on", times=2)
    bench.series.hangs = True
    await bench.pass_time(EVERY_S)
    bench.series.hangs = False
    bench.evaluate("f", "on")
    await bench.pass_time(EVERY_S)
    assert bench.samples() == {("f", "variant:on"): [1]}


async def test_many_are_written_in_parts() -> None:
    bench = Bench()
    for number in range(AT_ONCE + 1):
        bench.evaluate(f"f{number}", "on")
    await bench.pass_time(EVERY_S)
    assert len(bench.samples()) == AT_ONCE
    await bench.pass_time(0.1)
    assert len(bench.samples()) == AT_ONCE + 1
    assert bench.series.commands == 2


async def test_the_last_differences_are_written_at_the_end() -> None:
    bench = Bench()
    for number in range(AT_ONCE + 1):
        bench.evaluate(f"f{number}", "on")
    await bench.flusher.finish()
    assert len(bench.samples()) == AT_ONCE + 1


async def test_there_are_no_more_series_than_allowed() -> None:
    bench = Bench(most=2)
    bench.evaluate("f", "on", "beta")
    bench.evaluate("g", "on", times=4)
    with capture_logs() as log:
        for _ in range(2):
            bench.evaluate("h", "on", times=3)
            bench.evaluate("f", "on")
            await bench.pass_time(EVERY_S)
    assert bench.samples() == {("f", "variant:on"): [2, 1], ("f", "rule:beta"): [1]}
    assert bench.dropped == 4 + 3 + 3
    assert [(line["event"], line["most"]) for line in log if "evaluations" in line["event"]] == [
        ("evaluations_dropped", 2)
    ]


async def test_what_has_something_else_in_its_place_is_dropped() -> None:
    bench = Bench()
    bench.series.taken.add(("f", "variant:on"))
    bench.evaluate("f", "on", times=3)
    await bench.pass_time(EVERY_S)
    assert (bench.samples(), bench.dropped) == ({}, 3)


async def test_who_writes_hears_of_an_outage() -> None:
    bench = Bench()
    bench.series.available = False
    bench.evaluate("f", "on")
    with pytest.raises(SeriesUnavailableError):
        await bench.written.write_rest()
    bench.series.available = True
    await bench.written.write_rest()
    assert bench.samples() == {("f", "variant:on"): [1]}


async def test_what_the_sidecar_counts_is_written_as_differences() -> None:
    counts, series = EvaluationCounts(), MemorySeries()
    written = EvaluationSeries(counts, series, dropped=lambda _: None)
    tally = counts.tally("f", Decision("on", active=True, reason=Reason.SPLIT, rule="beta"))
    counts.tally("f", Decision("on", active=True, reason=Reason.STATIC)).count += 3
    tally.count += 2
    await written.write_rest()
    assert counts.changes() == []
    tally.count += 4
    series.clock_ms = 1
    await written.write_rest()
    assert series.samples == {("f", "variant:on"): {0: 5, 1: 4}, ("f", "rule:beta"): {0: 2, 1: 4}}
