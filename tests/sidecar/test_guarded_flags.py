"""Which flags calls are kept away from, for how long, and how that is reported."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from tailslide_core.circuit import Circuit
from tailslide_core.conditions import Condition, Operator
from tailslide_core.contracts import encode_circuit
from tailslide_core.flag_contracts import encode_ruleset, encode_segment
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_runtime.bucket_watch import Entry
from tailslide_sidecar import guarded_flags
from tailslide_sidecar.flag_store import FlagStore
from tailslide_sidecar.guarded_flags import GuardedFlags
from tailslide_sidecar.local_guard import Guard

SETTINGS = LocalGuard(consecutive_failures=3, max_ms=1_500)
QUIET = {"active": False, "since_ms": None, "remaining_ms": 0, "strikes": 0, "kept_away": 0}


class Desk:
    """A store with the guarded flag `f` and the unguarded flag `g`, at a time that only the test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.store = FlagStore("clinic")
        self.revision = 0
        self.ruleset = Ruleset(
            "clinic", "f", 1, active=True, rollout=100.0, salt="f", circuit=CircuitSettings(local_guard=SETTINGS)
        )
        self.put(self.ruleset)
        self.put(replace(self.ruleset, key="g", circuit=CircuitSettings()))
        self.flags = GuardedFlags(self.store, clock=lambda: self.now_s, wall_clock=lambda: 77.0 + self.now_s)

    def put(self, ruleset: Ruleset) -> None:
        self.arrives(RULESETS_BUCKET, encode_ruleset(ruleset), ruleset.key)

    def arrives(self, bucket: str, value: bytes | None, flag: str = "f") -> None:
        self.revision += 1
        self.store.apply(bucket, Entry(f"clinic.{flag}", value, self.revision))

    def guard(self, flag: str = "f") -> Guard | None:
        held = self.store.held(flag)
        assert held is not None
        return self.flags.guard(flag, held)

    def fails(self, times: int, guard: Guard | None = None) -> bool:
        """Let so many calls fail to connect; say whether the last one has made the guard strike."""
        guard = guard or self.guard()
        assert guard is not None
        return [self.flags.failed("f", guard) for _ in range(times)][-1]

    def holds(self) -> bool:
        """Whether the next call is kept away."""
        guard = self.guard()
        return guard is not None and guard.struck_at_s is not None

    def report(self) -> Mapping[str, object]:
        report = self.flags.report("f")
        assert report is not None
        return report

    def samples(self) -> dict[str, float]:
        registry = CollectorRegistry()
        registry.register(self.flags)
        lines = generate_latest(registry).decode().splitlines()
        split = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        return {name.removeprefix("tailslide_sidecar_local_guard_"): float(value) for name, _, value in split}


def test_a_flag_without_a_guard_has_none() -> None:
    desk = Desk()
    assert desk.guard("g") is None
    assert (desk.flags.report("g"), desk.flags.report("unknown")) == (None, None)
    assert {name for name in desk.samples() if '"g"' in name} == set()


def test_a_change_of_a_segment_says_nothing_of_the_feature_and_keeps_the_guard() -> None:
    desk = Desk()
    rule = Rule((Condition("targetingKey", Operator.IN_SEGMENT, ("vip",)),))
    desk.put(replace(desk.ruleset, version=2, rules=(rule,)))
    before, guard = desk.store.held("f"), desk.guard()
    assert before is not None
    desk.fails(2)

    desk.arrives(RULESETS_BUCKET, encode_segment(Segment("clinic", "vip", 1, frozenset({"u"}))), "_segments.vip")
    assert desk.store.held("f") is not before
    assert desk.guard() is guard
    assert desk.fails(1)
    desk.arrives(RULESETS_BUCKET, encode_segment(Segment("clinic", "vip", 2)), "_segments.vip")
    desk.flags.look()
    assert desk.holds()
    assert desk.report()["active"] is True

    desk.arrives(CIRCUITS_BUCKET, encode_circuit(Circuit(generation=1)))
    assert not desk.holds()


def test_calls_of_one_state_share_a_guard() -> None:
    desk = Desk()
    assert desk.guard() is desk.guard()
    desk.fails(2)
    assert not desk.holds()
    assert desk.fails(1)
    assert desk.holds()


def test_it_holds_until_its_time_is_over_and_counts_anew() -> None:
    desk = Desk()
    assert desk.fails(3)
    desk.now_s += 1.499
    assert desk.holds()
    desk.now_s += 0.001
    assert not desk.holds()
    assert not desk.fails(2)
    assert desk.fails(1)
    assert desk.holds()


@pytest.mark.parametrize("what", ["circuit", "reset", "guard", "rollout", "deletion"])
def test_whatever_arrives_of_the_flag_ends_it(what: str) -> None:
    desk = Desk()
    settings = desk.ruleset.circuit
    assert settings is not None
    desk.fails(3)
    match what:
        case "circuit":
            desk.arrives(CIRCUITS_BUCKET, encode_circuit(Circuit(trips=1)))
        case "reset":
            desk.put(replace(desk.ruleset, circuit=replace(settings, reset_generation=1)))
        case "guard":
            desk.put(replace(desk.ruleset, circuit=replace(settings, local_guard=None)))
        case "rollout":
            desk.put(replace(desk.ruleset, rollout=50.0))
        case "deletion":
            desk.arrives(RULESETS_BUCKET, None)
            desk.put(desk.ruleset)
    assert not desk.holds()
    assert not desk.samples()['active{flag="f"}']


def test_what_changes_nothing_ends_nothing() -> None:
    desk = Desk()
    desk.fails(3)
    desk.put(desk.ruleset)
    desk.arrives(RULESETS_BUCKET, encode_ruleset(replace(desk.ruleset, key="g", rollout=1.0)), "g")
    desk.arrives(CIRCUITS_BUCKET, b"{nonsense")
    desk.store.forget_answers()
    assert desk.holds()


def test_a_row_is_broken_by_what_arrives() -> None:
    desk = Desk()
    desk.fails(2)
    desk.arrives(CIRCUITS_BUCKET, encode_circuit(Circuit(trips=1)))
    assert not desk.fails(2)
    assert desk.fails(1)


def test_calls_that_were_under_way_strike_no_second_time() -> None:
    desk = Desk()
    before = desk.guard()
    desk.fails(3, before)
    assert not desk.fails(5, before)
    desk.now_s += 2
    assert desk.guard() is not before
    assert not desk.fails(5, before)
    assert not desk.holds()
    assert desk.report()["strikes"] == 1


def test_the_report_says_how_it_stands() -> None:
    desk = Desk()
    assert desk.report() == QUIET
    desk.fails(2)
    assert desk.report() == QUIET
    desk.fails(1)
    desk.now_s += 0.4
    desk.flags.count_kept_away("f")
    assert desk.report() == {
        "active": True,
        "since_ms": 1_077_000,
        "remaining_ms": 1_100,
        "strikes": 1,
        "kept_away": 1,
    }
    desk.now_s += 1.2
    assert desk.report() == QUIET | {"strikes": 1, "kept_away": 1}


def test_metrics_tell_of_each_guarded_flag_and_never_go_back() -> None:
    desk = Desk()
    names = 'active{flag="f"}', 'strikes_total{flag="f"}', 'kept_away_total{flag="f"}'
    assert desk.samples() == dict.fromkeys(names, 0.0)
    for strikes in (1, 2):
        desk.fails(3)
        desk.flags.count_kept_away("f")
        desk.flags.count_kept_away("f")
        assert desk.samples() == dict(zip(names, (1.0, strikes, 2 * strikes), strict=True))
        desk.now_s += 1.5
        assert desk.samples() == dict(zip(names, (0.0, strikes, 2 * strikes), strict=True))
    desk.put(replace(desk.ruleset, circuit=None))
    assert desk.samples() == dict(zip(names, (0.0, 2.0, 4.0), strict=True))


def test_beginning_and_end_are_logged_once() -> None:
    desk = Desk()
    with capture_logs() as logs:
        desk.fails(3)
        for _ in range(7):
            desk.flags.count_kept_away("f")
        desk.flags.look()
        desk.now_s += 1.6
        for _ in range(2):
            desk.flags.look()
        desk.fails(3)
        desk.now_s += 0.2
        desk.put(replace(desk.ruleset, rollout=1.0))
        for _ in range(2):
            desk.flags.look()
    told = [{name: value for name, value in line.items() if name not in {"event", "flag", "message"}} for line in logs]
    assert told == [
        {"log_level": "warning", "consecutive_failures": 3, "max_ms": 1_500},
        {"log_level": "info", "because": "max_ms is over", "after_ms": 1_500, "kept_away": 7},
        {"log_level": "warning", "consecutive_failures": 3, "max_ms": 1_500},
        {"log_level": "info", "because": "its ruleset or its circuit has changed", "after_ms": 200, "kept_away": 0},
    ]
    assert {line["flag"] for line in logs} == {"f"}


def test_a_call_that_comes_first_lets_it_be_told() -> None:
    desk = Desk()
    desk.fails(3)
    desk.now_s += 1.5
    with capture_logs() as logs:
        desk.guard()
        desk.flags.look()
    assert [line["log_level"] for line in logs] == ["info"]


async def test_the_end_is_told_without_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_flags, "LOOK_EVERY_S", 0.0)
    desk = Desk()
    desk.fails(3)
    desk.now_s += 1.5
    with capture_logs() as logs:
        async with asyncio.timeout(5):
            task = asyncio.create_task(desk.flags.run())
            while not logs:
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    assert [line["because"] for line in logs] == ["max_ms is over"]
