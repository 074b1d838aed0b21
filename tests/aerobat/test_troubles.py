"""Each trouble is counted each time, and told once a minute of each flag."""

import pytest

from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.troubles import REMEMBERED, TELL_EVERY_S, Troubles
from tailslide_core.naming import FlagId

FLAG, OTHER = FlagId("clinic", "appointments"), FlagId("clinic", "invoices")


class Told:
    """Troubles with a clock of their own, and what they said since it was asked last."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.now = 0.0
        self.metrics = Metrics()
        self.troubles = Troubles(self.metrics, lambda: self.now)
        self._capsys = capsys

    def lines(self, event: str) -> int:
        return sum(f" {event} " in line for line in self._capsys.readouterr().out.splitlines())

    def metric(self, name: str) -> float:
        lines = self.metrics.text().decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"tailslide_aerobat_{name} "))


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(capsys)


def test_a_trouble_is_told_once_a_minute_and_counted_each_time(told: Told) -> None:
    for _ in range(3):
        told.troubles.samples_refused(FLAG, 2)
    assert told.lines("samples_refused") == 1
    told.now += TELL_EVERY_S
    told.troubles.samples_refused(FLAG, 2)
    assert told.lines("samples_refused") == 1
    assert told.metric("refused_samples_total") == 8


def test_each_flag_and_each_trouble_is_told_of(told: Told) -> None:
    for flag in (FLAG, OTHER):
        told.troubles.no_series(flag)
        told.troubles.samples_refused(flag, 1)
    told.troubles.no_marks("clinic", "WRONGTYPE")
    assert told.metric("refused_keys_total") == 3
    assert told.lines("series_refused") == 2


def test_an_unexpected_error_is_told_with_its_traceback(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OverflowError) as caught:
        (2**64).to_bytes(8, "big")
    for _ in range(2):
        told.troubles.failed(FLAG, caught.value)
    out = capsys.readouterr().out
    assert "flag_failed" in out
    assert out.count("Traceback (most recent call last)") == 1
    assert "OverflowError: int too big" in out
    assert told.metric("flag_errors_total") == 2


def test_of_very_many_troubles_only_so_many_are_told_a_minute(told: Told) -> None:
    for number in range(REMEMBERED + 5):
        told.troubles.no_series(FlagId("clinic", f"f{number}"))
    assert told.lines("series_refused") == REMEMBERED
    assert told.metric("refused_keys_total") == REMEMBERED + 5
    told.now += TELL_EVERY_S
    told.troubles.no_series(FLAG)
    assert told.lines("series_refused") == 1
