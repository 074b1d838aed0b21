"""What `/v1/status` says of flags: what everybody gets, and what flags name that there is not."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import RULESETS_BUCKET, SidecarId
from tailslide_core.presence import MAX_FLAGS
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_runtime.bucket_watch import Entry, Listing, WatchStatus
from tailslide_runtime.jetstream import LinkStatus
from tailslide_sidecar.flag_store import Content, FlagStore
from tailslide_sidecar.flags_file import read_flags_file
from tailslide_sidecar.flags_source import FlagsSource
from tailslide_sidecar.guarded_flags import GuardedFlags
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.reload import RouteReloader
from tailslide_sidecar.route_file import RoutePart
from tailslide_sidecar.settings import Settings
from tailslide_sidecar.status import Status

APP = "shop"
OPEN = Circuit(State.OPEN, 0.0, trips=1)


def flag(key: str, *requires: str, segment: str | None = None, rollout: float = 100.0, active: bool = True) -> Ruleset:
    rules = () if segment is None else (Rule((Condition("targetingKey", Operator.IN_SEGMENT, (segment,)),)),)
    needs = tuple(Requirement(other) for other in requires)
    return Ruleset(APP, key, 3, active, rollout, key, requires=needs, rules=rules, circuit=CircuitSettings())


def store_of(
    *flags: Ruleset, circuits: dict[str, Circuit] | None = None, segments: dict[str, Segment] | None = None
) -> FlagStore:
    store = FlagStore(APP)
    store.restore(Content({each.key: each for each in flags}, circuits or {}, None, segments or {}))
    return store


def status_of(
    store: FlagStore, *flags_of_routes: str, watch: WatchStatus | None = None, flags_file: FlagsSource | None = None
) -> Status:
    routes = [
        RoutePart.model_validate({"flag": flag, "feature": "http://a:1", "fallback": "http://b:1"}).read()
        for flag in flags_of_routes
    ]
    settings = Settings(app=APP, routes=tuple(routes))
    return Status(
        settings,
        store,
        OutcomeBuffer(),
        GuardedFlags(store, clock=lambda: 0.0),
        lambda: None,
        LinkStatus(),
        {RULESETS_BUCKET: watch or WatchStatus()},
        lambda: True,
        lambda: None,
        RouteReloader(settings, lambda _: None),
        "pay-1a2b3c",
        flags_file,
    )


def report(store: FlagStore, *flags_of_routes: str) -> dict[str, Any]:
    status = status_of(store, *flags_of_routes)
    said: dict[str, Any] = orjson.loads(orjson.dumps(status.report()))
    return said


@pytest.mark.parametrize(
    ("flags", "circuits", "settled"),
    [
        ([flag("f")], {}, ("on", "STATIC", None, None)),
        ([flag("f", rollout=0.0)], {}, ("off", "STATIC", None, None)),
        ([flag("f", active=False)], {}, ("off", "DISABLED", None, None)),
        ([flag("f")], {"f": OPEN}, ("off", "CIRCUIT_OPEN", None, None)),
        ([flag("f", rollout=50.0)], {}, None),
        ([flag("f", "gone")], {}, ("off", "PREREQUISITE_FAILED", "gone", "FLAG_NOT_FOUND")),
        ([flag("f", "g"), flag("g")], {"g": OPEN}, ("off", "PREREQUISITE_FAILED", "g", "CIRCUIT_OPEN")),
        ([flag("f", "g"), flag("g", "f")], {}, ("off", "PREREQUISITE_FAILED", "g", "PREREQUISITE_FAILED")),
        ([flag("f", "g"), flag("g", rollout=50.0)], {}, None),
    ],
)
def test_status_says_what_everybody_gets(
    flags: list[Ruleset], circuits: dict[str, Circuit], settled: tuple[str | None, ...] | None
) -> None:
    said = report(store_of(*flags, circuits=circuits))["flags"]["f"]["settled"]
    names = ("variant", "reason", "prerequisite", "prerequisite_reason")
    assert said == (None if settled is None else dict(zip(names, settled, strict=True)))


def test_status_names_prerequisites_and_routes_that_there_are_not() -> None:
    said = report(store_of(flag("f", "gone", "g"), flag("g", "gone"), flag("Half")), "half", "f", "nowhere")
    assert said["unknown_prerequisites"] == {"gone": ["f", "g"]}
    assert said["unknown_segments"] == {}
    assert said["unknown_flags"] == ["half", "nowhere"]
    problems = [route["problem"] for route in said["routes"]]
    assert problems[0].startswith("the app shop has no flag half (it has Half, which differs by upper and lower case)")
    assert problems[1] is None
    assert problems[2].startswith("the app shop has no flag nowhere, so")


def test_status_names_segments_that_there_are_and_are_not() -> None:
    vip = Segment(APP, "Vip.users", 7, frozenset({"u1"}))
    store = store_of(flag("f", segment="Vip.users"), flag("g", segment="beta"), segments={"Vip.users": vip})
    said = report(store)
    assert said["segments"] == {"Vip.users": 7}
    assert said["unknown_segments"] == {"beta": ["g"]}
    store.apply(RULESETS_BUCKET, Listing({f"{APP}.f": Entry(f"{APP}.f", encode_ruleset(flag("f")), 2)}))
    said = report(store)
    assert (said["segments_kept"], said["flags_kept"]) == (["Vip.users"], ["g"])


def test_presence_says_what_was_seen_of_the_bucket_and_which_flags_the_routes_name() -> None:
    store = store_of(flag("f"))
    store.apply(RULESETS_BUCKET, Entry(f"{APP}.f", b"no ruleset", 9))
    watch = WatchStatus(revision=9, stored_ms=1795363190302)
    sidecar_id = SidecarId(APP, "pay-1a2b3c")
    said = status_of(store, "f", "g", "f", watch=watch).presence(sidecar_id)
    assert said.sidecar_id == sidecar_id
    assert (said.revision, said.revision_ms) == (9, 1795363190302)
    assert (said.route_flags, said.route_flags_count) == (("f", "g"), 2)
    assert (said.refused, said.refused_count) == (("f",), 1)
    assert said.started_ms > 0


def test_presence_names_a_bounded_number_of_flags_and_counts_them_all() -> None:
    said = status_of(store_of(), *(f"f{n}" for n in range(MAX_FLAGS + 9))).presence(SidecarId(APP, "a"))
    assert (len(said.route_flags), said.route_flags_count) == (MAX_FLAGS, MAX_FLAGS + 9)


def test_status_names_the_flags_file_and_no_servers(tmp_path: Path) -> None:
    path = tmp_path / "flags.yaml"
    path.write_text("app: shop\nflags: {f: {}}")
    store = FlagStore(APP)
    source = FlagsSource(read_flags_file(path, APP), store, (), changed=lambda: None, now_s=lambda: 5.0)
    status = status_of(store, flags_file=source)
    said = status.report()
    assert (said["nats"], said["redis"], said["problem"], said["connected"]) == (None, None, None, True)
    assert said["flags_file"] == {"path": str(path), "loaded_at_ms": 5_000, "loaded": 1, "refused": 0}
    source.problem = "line 3: …"
    said = status.report()
    assert (said["problem"], said["connected"]) == ("line 3: …", False)
    assert list(report(store)["flags"]) == ["f"]
    assert report(store)["flags_file"] is None
