"""What the sidecar's log says of circuits."""

from dataclasses import replace
from typing import Any

import pytest
from circuit_moves import AT_MS, LIFE, OPEN, RECOVERED, RECOVERING
from structlog.testing import capture_logs

from tailslide_core.circuit import Circuit
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset
from tailslide_sidecar.circuit_news import CircuitNews
from tailslide_sidecar.flag_store import Content, FlagStore

RULESET = Ruleset("shop", "f", 1, active=True, rollout=100.0, salt="f", circuit=CircuitSettings(recovery=Recovery()))


class Desk:
    def __init__(self) -> None:
        self.store = FlagStore("shop")
        self.now_s = AT_MS / 1000
        self.news = CircuitNews(self.store, clock=lambda: self.now_s)
        self.ruleset = RULESET

    def told(self, circuit: Circuit | None, *flags: str) -> list[Any]:
        """Return what is told once the circuit is as given."""
        store = FlagStore("shop")
        store.restore(Content({"f": self.ruleset}, {} if circuit is None else {"f": circuit}))
        self.news._store = store
        with capture_logs() as lines:
            self.news.look(flags or None)
        return lines

    def set(self, **changes: object) -> None:
        assert self.ruleset.circuit is not None
        self.ruleset = replace(self.ruleset, circuit=replace(self.ruleset.circuit, **changes))  # type: ignore[arg-type]


def test_an_opening_says_why_and_what_comes_next() -> None:
    desk = Desk()
    assert desk.told(Circuit()) == []
    (line,) = desk.told(OPEN, "f")
    assert line == {
        "event": "circuit_opened",
        "log_level": "warning",
        "flag": "f",
        "message": "The circuit of f opened: 62% of 141 calls failed in 10 s; the threshold is 50%. Nobody gets f now. "
        "Calls go to the fallback. The circuit lets users back in by itself from 16:00:20 UTC, 10% first.",
        "state": "open",
        "percentage": 0.0,
        "trips": 1,
        "next_ms": AT_MS + 30_000,
        "rule": "error_rate",
        "observed": 62.0,
        "threshold": 50.0,
        "calls": 141,
        "window_ms": 10_000,
    }
    assert desk.told(OPEN) == []


def test_a_recovery_is_told_step_by_step() -> None:
    desk = Desk()
    desk.told(Circuit())
    events = []
    for transition in LIFE:
        desk.now_s = transition.at_ms / 1000
        events += [(line["event"], line["log_level"]) for line in desk.told(transition.after)]
    assert events == [
        ("circuit_opened", "warning"),
        ("circuit_recovering", "info"),
        ("circuit_step", "info"),
        ("circuit_closed", "info"),
    ]
    (again,) = desk.told(replace(OPEN, trips=2, generation=9))
    assert again["event"] == "circuit_opened"


def test_a_circuit_that_is_open_at_the_start_is_told_with_when_it_opened() -> None:
    desk = Desk()
    desk.now_s += 600
    (line,) = desk.told(OPEN)
    assert line["event"] == "circuit_opened"
    assert line["message"].startswith("This happened 10 min ago, at 15:59:50 UTC. The circuit of f opened: ")


def test_nothing_is_told_before_there_are_rulesets_nor_of_other_flags() -> None:
    news = CircuitNews(FlagStore("shop"))
    with capture_logs() as lines:
        news.look()
    assert lines == []
    assert Desk().told(OPEN, "g", "_segments.beta") == []


def test_a_reset_is_told_once_whether_aerobat_has_heard_of_it_or_not() -> None:
    desk = Desk()
    desk.told(OPEN)
    desk.set(reset_generation=1)
    (line,) = desk.told(OPEN)
    assert (line["event"], line["state"], line["percentage"]) == ("circuit_reset", "closed", 100.0)
    assert line["message"] == "The circuit of f was reset by a person. All users in the rollout get f."
    desk.now_s += 5
    assert desk.told(OPEN) == []
    assert desk.told(Circuit(generation=2, reset_generation=1, since_ms=AT_MS + 6_000)) == []
    (opened,) = desk.told(replace(OPEN, generation=3, reset_generation=1))
    assert opened["event"] == "circuit_opened"


def test_a_circuit_that_a_person_forces_open_is_told_and_that_it_is_over() -> None:
    desk = Desk()
    desk.told(RECOVERED)
    desk.set(forced_open=True)
    (line,) = desk.told(RECOVERED)
    assert (line["event"], line["log_level"]) == ("circuit_forced_open", "warning")
    assert line["message"] == "Held off by a person (forced open). Calls go to the fallback."
    assert desk.told(RECOVERED) == []
    desk.set(forced_open=False)
    (line,) = desk.told(RECOVERED)
    assert (line["event"], line["log_level"]) == ("circuit_no_longer_forced_open", "info")


def test_a_flag_without_a_circuit_is_not_told_of() -> None:
    desk = Desk()
    desk.told(RECOVERING)
    desk.ruleset = replace(RULESET, circuit=None)
    assert desk.told(RECOVERING) == []


def test_what_cannot_be_told_keeps_nothing_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("tailslide_sidecar.circuit_news.transition_in_words", fail)
    (line,) = Desk().told(OPEN)
    assert (line["event"], line["flag"]) == ("circuit_not_told", "f")
