"""Graphs and previews over Tower's API, of what the real writer of a sidecar has written."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from circuit_moves import CLOSED, OPEN, make_stream, publish
from counted_past import CountedPast, counted_past
from real_servers import RealServers
from tower_bench import Tower, TowerBench, until

from tailslide_core.circuit import Signal, Transition
from tailslide_core.naming import FlagId


@pytest.fixture
def key() -> str:
    """Each test has a flag of its own, since series outlive a test's database."""
    return f"search-{uuid4().hex[:8]}"


@pytest.fixture
async def past(bench: TowerBench) -> AsyncIterator[CountedPast]:
    async with counted_past(bench.redis_url, "shop") as made:
        yield made


@pytest.fixture
async def flag(tower: Tower, key: str) -> str:
    await tower.ok("POST", "/apps/shop/flags", {"key": key, "active": True, "rules": [RULE]})
    return f"/apps/shop/flags/{key}"


EVALUATED = {"variant:on": 70, "rule:germans": 9, "rule:gone": 1}
RULE = {"when": [{"attribute": "country", "operator": "in", "values": ["DE"]}], "rollout": 100, "name": "germans"}


async def test_a_flag_s_graph_shows_its_calls_its_evaluations_and_what_would_open_it(
    tower: Tower, past: CountedPast, flag: str, key: str
) -> None:
    await past.seconds(key, 30, 10, good=90, bad=10, slow=5)
    await past.count(key, EVALUATED)
    graph = await tower.ok("GET", f"{flag}/timeseries?range=5m")
    assert (graph["points"]["resolution_ms"], graph["points"]["points"], graph["points"]["source"]) == (
        1_000,
        300,
        "raw",
    )
    feature = graph["feature"]
    counted = [index for index, calls in enumerate(feature["calls"]) if calls is not None]
    assert len(counted) == 10
    assert {feature["calls"][index] for index in counted} == {100}
    assert {feature["error_rate"][index] for index in counted} == {10.0}
    assert {feature["slow_rate"][index] for index in counted} == {5.0}
    assert {graph["thresholds"]["opens_at_error_rate"][index] for index in counted} == {69.0}
    assert graph["evaluations"]["points"]["resolution_ms"] == 10_000
    assert {name: sum(filter(None, column)) for name, column in graph["evaluations"]["variants"].items()} == {"on": 70}
    assert {name: sum(filter(None, column)) for name, column in graph["evaluations"]["rules"].items()} == {"germans": 9}
    assert all(len(column) == 300 for column in feature.values() if isinstance(column, list))


async def test_a_graph_has_marks_for_changes_and_for_transitions(
    bench: TowerBench, tower: Tower, flag: str, key: str
) -> None:
    await tower.ok("PATCH", flag, {"rollout": 50})
    async with bench.nats() as client:
        await make_stream(client)
        now_ms = round(time.time() * 1000)
        opened = Transition(Signal.BREACH, now_ms, CLOSED, replace(OPEN, since_ms=now_ms))
        await publish(client, opened, FlagId("shop", key))

    async def marked() -> bool:
        return len((await tower.ok("GET", f"{flag}/timeseries?range=5m"))["marks"]) == 3

    await until(marked)
    marks = (await tower.ok("GET", f"{flag}/timeseries?range=5m"))["marks"]
    assert [mark["kind"] for mark in marks] == ["circuit", "flag", "flag"]
    assert (marks[0]["state"], marks[0]["percentage"]) == ("open", 0.0)
    assert (marks[1]["action"], marks[1]["state"]) == ("flag.changed", None)
    assert all(mark["sentence"] for mark in marks)
    early = await tower.ok("GET", f"{flag}/timeseries?from_ms=1000&to_ms=2000&resolution_ms=60000")
    late = await tower.ok("GET", f"{flag}/timeseries?from_ms={2**53 - 5000}&to_ms={2**53}")
    assert early["marks"] == late["marks"] == []


async def test_a_span_of_one_s_own_and_a_flag_without_a_circuit_have_a_graph(
    tower: Tower, past: CountedPast, flag: str, key: str
) -> None:
    await tower.ok("PATCH", flag, {"circuit": None})
    await past.seconds(key, 3, 3, good=5, bad=0)
    now_ms = await past.series.now_ms()
    graph = await tower.ok("GET", f"{flag}/timeseries?from_ms={now_ms - 20_000}&resolution_ms=5000")
    assert graph["points"]["points"] in (4, 5)
    assert sum(filter(None, graph["feature"]["calls"])) == 15
    assert graph["thresholds"]["error_rate"] is None
    assert set(graph["thresholds"]["opens_at_error_rate"]) == {None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("range=2h", "range"),
        ("range=1h&resolution_ms=100", "resolution_ms"),
        ("range=1h&resolution_ms=1000", "resolution_ms"),
        ("range=30d&resolution_ms=3600001", "resolution_ms"),
        ("range=1h&from_ms=5", "range"),
        ("to_ms=5", "from_ms"),
        ("from_ms=5&to_ms=5", "to_ms"),
        ("from_ms=99999999999999", "from_ms"),
        ("from_ms=1&to_ms=2000000000000", "from_ms"),
        ("from_ms=x", "from_ms"),
        ("colour=red", "colour"),
    ],
)
async def test_what_no_graph_can_show_is_refused_with_its_field(
    tower: Tower, query: str, field: str, flag: str
) -> None:
    answer = await tower.call("GET", f"{flag}/timeseries?{query}")
    assert answer.error == (400, "INVALID", field)


async def test_a_flag_that_is_not_there_has_no_graph(tower: Tower) -> None:
    assert (await tower.call("GET", "/apps/shop/flags/none/timeseries")).error == (404, "FLAG_NOT_FOUND", "flag")


async def test_many_flags_are_asked_for_at_once(tower: Tower, past: CountedPast, flag: str, key: str) -> None:
    await past.seconds(key, 20, 20, good=3, bad=1)
    name = f"shop.{key}"
    asked = await tower.ok("GET", f"/timeseries?flags={name},shop.other&range=1m")
    sparks = await tower.ok("POST", "/timeseries", {"flags": [name, "shop.other"], "range": "1m"})
    assert sparks["flags"].keys() == asked["flags"].keys() == {name, "shop.other"}
    found = sparks["flags"][name]
    assert sum(filter(None, found["calls"])) == 80
    assert {rate for rate in found["error_rate"] if rate is not None} == {25.0}
    assert {rate for rate in found["calls_per_s"] if rate is not None} == {4.0}
    assert not sparks["flags"]["shop.other"]["counted"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "flags"),
        ({"flags": []}, "flags"),
        ({"flags": ["shop"]}, "flags[0]"),
        ({"flags": ["shop.a", "SHOP.a"]}, "flags[1]"),
        ({"flags": ["shop.a", "shop._a"]}, "flags[1]"),
        ({"flags": [f"shop.flag-{index}" for index in range(501)]}, "flags"),
        (
            {"flags": [f"shop.flag-{index}" for index in range(500)], "range": "1h", "resolution_ms": 10_000},
            "resolution_ms",
        ),
        ({"flags": ["shop.a"], "range": "1y"}, "range"),
    ],
)
async def test_questions_about_many_flags_are_bounded(tower: Tower, body: dict[str, Any], field: str) -> None:
    assert (await tower.call("POST", "/timeseries", body)).error == (400, "INVALID", field)


async def test_a_preview_says_what_other_settings_would_have_done(
    tower: Tower, past: CountedPast, flag: str, key: str
) -> None:
    await past.seconds(key, 300, 200, good=16, bad=4)
    await past.seconds(key, 100, 90, good=20, bad=0)
    own = await tower.ok("POST", f"{flag}/circuit/preview", {})
    assert (own["opened"], own["transitions"], own["state"], own["counted"]) == (0, [], "closed", True)
    assert (own["calls"], own["failures"]) == (200 * 20 + 90 * 20, 800)
    tried = {"error_threshold": 5.0, "recovery": {"delay_ms": 60_000, "max_delay_ms": 60_000, "initial": 100}}
    found = await tower.ok("POST", f"{flag}/circuit/preview", {"circuit": tried})
    first = found["transitions"][0]
    assert (first["signal"], first["state"], first["reason"]["threshold"]) == ("breach", "open", 5.0)
    assert first["lasted_ms"] == 60_000
    assert found["opened"] >= 3
    assert found["state"] == "closed"
    assert 600 < found["avoided"]["failures"] < 800
    assert found["settings"]["error_threshold"] == 5.0
    assert found["settings"]["recovery"]["increment"] == 10.0
    assert {limit["code"] for limit in found["limits"]} == {"ESTIMATE", "REAL_CIRCUIT"}
    assert (await tower.ok("GET", flag))["circuit"]["error_threshold"] == 50.0, "a preview changes nothing"


async def test_a_preview_of_a_day_is_coarser_and_says_so(tower: Tower, past: CountedPast, flag: str, key: str) -> None:
    await past.seconds(key, 600, 300, good=1, bad=9)
    found = await tower.ok("POST", f"{flag}/circuit/preview", {"range": "24h"})
    assert (found["points"]["resolution_ms"], found["points"]["source"]) == (10_000, "10s")
    assert found["opened"] >= 1
    assert all(transition["at_ms"] % 10_000 == 0 for transition in found["transitions"])
    assert "RESOLUTION" in {limit["code"] for limit in found["limits"]}


async def test_what_a_preview_cannot_know_it_says(tower: Tower, flag: str) -> None:
    tried = {"failure_statuses": ["5xx", 429], "slow_call_ms": 100, "slow_threshold": 50, "forced_open": True}
    found = await tower.ok("POST", f"{flag}/circuit/preview", {"circuit": tried})
    assert {"FAILURE_STATUSES", "SLOW_CALL_MS", "FORCED_OPEN"} <= {limit["code"] for limit in found["limits"]}
    assert not found["counted"]


async def test_settings_that_no_flag_may_have_are_refused(tower: Tower, flag: str) -> None:
    for circuit, field in (
        ({"error_threshold": 101}, "circuit.error_threshold"),
        ({"slow_call_ms": 5}, "circuit.slow_threshold"),
        ({"colour": "red"}, "circuit.colour"),
        (None, "circuit"),
    ):
        answer = await tower.call("POST", f"{flag}/circuit/preview", {"circuit": circuit})
        assert answer.error == (400, "INVALID", field)


async def test_without_redis_graphs_say_so_and_everything_else_works(
    bench: TowerBench, tower: Tower, own_servers: RealServers, flag: str
) -> None:
    own_servers.kill("redis")
    try:
        for method, path, body in (
            ("GET", f"{flag}/timeseries", None),
            ("POST", "/timeseries", {"flags": ["shop.search"]}),
            ("POST", f"{flag}/circuit/preview", {}),
        ):
            answer = await tower.call(method, path, body)
            assert answer.error == (503, "GRAPHS_UNAVAILABLE", None)
            assert answer.body["detail"].startswith("graphs are not available: Redis cannot be reached")
            assert answer.headers["Retry-After"]
        assert (await tower.ok("POST", f"{flag}/toggle"))["active"] is False
    finally:
        own_servers.start("redis")

    async def back() -> bool:
        return (await tower.call("GET", f"{flag}/timeseries")).status == 200

    await until(back)


async def test_a_tower_that_knows_no_redis_has_no_graphs(bench: TowerBench, tower: Tower, flag: str) -> None:
    async with bench.tower(redis=False) as other:
        answer = await other.call("GET", f"{flag}/timeseries")
        assert answer.error == (503, "GRAPHS_UNAVAILABLE", None)
        assert answer.body["detail"] == "graphs are not available: TAILSLIDE_REDIS_URL is not set"
