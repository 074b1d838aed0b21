"""How one Aerobat reports its state, on twins in memory."""

from dataclasses import replace

import pytest
from aerobat_court import FLAG, RULESET, Court

from tailslide_aerobat.standing import Standing
from tailslide_core.contracts import Lease, encode_lease
from tailslide_core.naming import lease_key
from tailslide_core.ruleset import Ruleset
from tailslide_runtime.bucket_watch import Entry
from tailslide_runtime.jetstream import LinkStatus

APPS = [f"app-{number}" for number in range(20)]


class Scene:
    """A court of twenty apps with a flag each, and its reported state."""

    def __init__(self) -> None:
        self.court = Court().begin(RULESET, *(replace(RULESET, app=app) for app in APPS))
        self.link = LinkStatus(connected=True)
        court = self.court
        self.standing = Standing(court.flags, court.judge, court.holders, self.link, court.metrics)

    def share(self) -> None:
        """Let another Aerobat come."""
        value = encode_lease(Lease("other", 7))
        self.court.holders.take(Entry(lease_key("other"), value, 1))
        self.court.holders.refresh()

    def metric(self, name: str) -> float:
        lines = self.standing.exposition().decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"tailslide_aerobat_{name} "))


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.court.tick()
    return scene


def test_one_that_has_everything_is_ready(scene: Scene) -> None:
    assert scene.standing.readiness() == {
        "ready": True,
        "nats": True,
        "redis": True,
        "lease": True,
        "worker": "alone",
        "holders": ["alone"],
        "apps": 21,
        "apps_owned": 21,
        "flags": 21,
        "flags_owned": 21,
        "last_tick_ms": scene.court.series.now_ms,
    }


def test_whatever_is_missing_is_said(scene: Scene) -> None:
    scene.link.connected = False
    assert not scene.standing.readiness()["ready"]
    scene.link.connected = True
    scene.court.judge.readable = None
    assert not scene.standing.readiness()["ready"]
    scene.court.judge.readable = True
    scene.court.holders.released()
    readiness = scene.standing.readiness()
    assert (readiness["ready"], readiness["lease"], readiness["flags_owned"]) == (False, False, 0)
    scene.court.holders.renewed()
    scene.court.holders.refresh()
    assert scene.standing.readiness()["ready"]
    scene.court.flags.disconnected()
    assert not scene.standing.readiness()["ready"]


def test_both_are_told_of_and_each_circuit_has_its_owner(scene: Scene) -> None:
    scene.share()
    status = scene.standing.status()
    assert status["holders"] == [
        {"worker": "alone", "since_ms": None, "renewed_ms_ago": 0, "ours": True},
        {"worker": "other", "since_ms": 7, "renewed_ms_ago": 0, "ours": False},
    ]
    circuits = status["circuits"]
    assert isinstance(circuits, list)
    assert len(circuits) == 21
    for circuit in circuits:
        assert circuit["owner"] == scene.court.holders.owner(circuit["app"])
        assert circuit["ours"] == (circuit["owner"] == "alone")
        assert (circuit["window"] is None) == (not circuit["ours"])
    assert {circuit["owner"] for circuit in circuits} == {"alone", "other"}


async def test_a_circuit_is_told_with_the_calls_of_its_window(scene: Scene) -> None:
    await scene.court.tick(success=30, failure=3)
    circuits = scene.standing.status()["circuits"]
    assert isinstance(circuits, list)
    circuit = next(circuit for circuit in circuits if circuit["app"] == FLAG.app)
    assert circuit["window"] == {"window_ms": 10_000, "calls": 33, "failures": 3, "slow": 0}
    assert (circuit["flag"], circuit["state"], circuit["active"], circuit["forced_open"]) == (
        FLAG.flag,
        "closed",
        True,
        False,
    )


async def test_the_gauges_of_all_aerobats_add_up(scene: Scene) -> None:
    await scene.court.tick(failure=100)
    assert scene.metric('circuits{state="open"}') == 1
    assert scene.metric('circuits{state="closed"}') == 20
    assert scene.metric("flags_owned") == 21
    scene.share()
    ours = sum(scene.court.holders.owns(app) for app in [*APPS, FLAG.app])
    states = [scene.metric(f'circuits{{state="{state}"}}') for state in ("open", "closed", "recovering")]
    assert sum(states) == scene.metric("flags_owned") == ours
    assert scene.metric("holders") == 2


def test_without_flags_there_is_nothing_to_tell() -> None:
    court = Court().begin(Ruleset("clinic", "plain", 1, active=True, rollout=100.0, salt="s", circuit=None))
    standing = Standing(court.flags, court.judge, court.holders, LinkStatus(), court.metrics)
    assert standing.status()["circuits"] == []
    assert standing.readiness()["flags"] == 0
