"""The tally of what users saw."""

import pytest

from tailslide_embedded.demo.traffic import Call, Tally


def test_rates_are_of_the_last_two_seconds() -> None:
    tally = Tally()
    for at in (0.0, 0.5, 1.0):
        tally.add(Call(at, ok=False, served_by="new"))
    for at in (3.1, 3.2, 3.3, 3.4):
        tally.add(Call(at, ok=at < 3.4, served_by="old" if at < 3.2 else "new"))

    assert (tally.total, tally.failed) == (7, 4)
    assert tally.recent_error_rate() == pytest.approx(25)
    assert tally.recent_share_of("new") == pytest.approx(75)


def test_without_calls_there_is_nothing_to_say() -> None:
    assert Tally().recent_error_rate() == 0
    assert Tally().recent_share_of("new") == 0
