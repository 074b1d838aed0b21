"""Flags that are tried out: what Tower says of a user is what a sidecar with the same flags says."""

from typing import Any

import orjson
import pytest
from tower_bench import Tower, TowerBench, until

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import encode_circuit
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.flag_set import FlagSet

FLAGS = "/apps/shop/flags"
GERMANS = {"attribute": "country", "operator": "in", "values": ["DE"]}
VIP = {"operator": "in_segment", "values": ["vip"]}
KEYS = [f"user-{n}" for n in range(200)]


async def try_out(tower: Tower, **body: Any) -> Any:
    return await tower.ok("POST", f"{FLAGS}/one/evaluate", body)


@pytest.fixture
async def shop(tower: Tower) -> Tower:
    """A flag that asks for another one, for a segment, and for what users are."""
    await tower.ok("POST", "/apps/shop/segments", {"key": "vip", "include": ["user-7"]})
    await tower.ok("POST", FLAGS, {"key": "base", "active": True, "deny": ["user-3"]})
    rules = [
        {"when": [VIP], "variant": "on", "name": "vips"},
        {"when": [GERMANS, {"attribute": "age", "operator": "ge", "values": [18]}], "rollout": 50, "name": "adults"},
    ]
    flag = {"key": "one", "active": True, "rollout": 25, "deny": ["user-5"], "allow": ["user-6"], "rules": rules}
    await tower.ok("POST", FLAGS, {**flag, "requires": [{"flag": "base"}]})
    return tower


async def test_answers_are_those_of_what_is_published(bench: TowerBench, shop: Tower) -> None:
    await shop.until_published()
    rulesets = {ruleset.key: ruleset for ruleset in (await bench.rulesets()).values()}
    segments = {segment.key: segment for segment in (await bench.segments()).values()}
    flags = FlagSet(rulesets, {}, segments)
    attributes = {"country": "DE", "age": 30}
    contexts = [{"targeting_key": key, "attributes": attributes} for key in KEYS[:100]]
    for asked in ({"targeting_keys": KEYS}, {"contexts": contexts}):
        tried = await try_out(shop, **asked)
        of_user = attributes if "contexts" in asked else {}
        for answer in tried["answers"]:
            expected = evaluate("one", flags, Context(answer["targeting_key"], of_user))
            for name in ("active", "variant", "value", "reason", "rule", "prerequisite", "is_error"):
                assert answer[name] == getattr(expected, name), (answer["targeting_key"], name)
        assert sum(tried["variants"].values()) == len(tried["answers"])
    assert (tried["version"], tried["is_draft"], tried["archived"]) == (1, False, False)


async def test_each_line_says_what_it_came_to(shop: Tower) -> None:
    asked = [
        {"targeting_key": "user-3"},
        {"targeting_key": "user-5"},
        {"targeting_key": "user-6"},
        {"targeting_key": "user-7"},
        {"targeting_key": "user-8", "attributes": {"country": "DE", "age": "30"}},
        {"targeting_key": "user-8", "attributes": {"country": "FR"}},
    ]
    answers = (await try_out(shop, contexts=asked))["answers"]
    assert [answer["decided_by"] for answer in answers] == ["requires", "deny", "allow", "rule", "rule", "rollout"]
    assert answers[0]["explanation"]["requires"][0]["met"] is False
    assert answers[0]["prerequisite_reason"] == "TARGETING_MATCH"
    adults = answers[4]["explanation"]["rules"][1]
    assert (adults["name"], adults["decides"], adults["rollout"]["limit"]) == ("adults", True, 50_000.0)
    assert [(each["value"], each["outcome"]) for each in adults["conditions"]] == [('"DE"', "held"), ('"30"', "held")]
    missing = answers[5]["explanation"]["rules"][1]["conditions"]
    assert [each["outcome"] for each in missing] == ["failed", "missing"]


async def test_change_is_tried_out_and_not_saved(shop: Tower) -> None:
    before = await shop.ok("GET", f"{FLAGS}/one")
    tried = await try_out(shop, targeting_keys=KEYS, flag={"rollout": 100, "requires": [], "deny": []})
    assert tried["is_draft"] is True
    assert tried["variants"] == {"on": 200}
    assert await shop.ok("GET", f"{FLAGS}/one") == before
    refused = await shop.call("POST", f"{FLAGS}/one/evaluate", {"targeting_keys": ["u"], "flag": {"rollout": 101}})
    assert refused.error == (400, "INVALID", "flag.rollout")
    tried = await try_out(shop, targeting_keys=["u"], flag={"requires": [{"flag": "none"}]})
    assert tried["answers"][0]["prerequisite_reason"] == "FLAG_NOT_FOUND"


async def test_circuit_counts_as_it_is_now(bench: TowerBench, shop: Tower) -> None:
    await bench.put("circuits", "shop.one", encode_circuit(Circuit(State.OPEN, 0.0, trips=1, reset_generation=9)))

    async def is_open() -> bool:
        return bool((await try_out(shop, targeting_keys=["user-6"]))["circuit"] == "open")

    await until(is_open)
    tried = await try_out(shop, targeting_keys=["user-6"])
    assert (tried["circuits_known"], tried["percentage"]) == (True, 0.0)
    assert (tried["answers"][0]["decided_by"], tried["answers"][0]["reason"]) == ("circuit", "CIRCUIT_OPEN")


async def test_archived_flag_gives_nobody_anything(shop: Tower) -> None:
    await shop.ok("POST", f"{FLAGS}/one/archive", {"force": True})
    tried = await try_out(shop, targeting_keys=["user-6"])
    assert (tried["archived"], tried["variants"]) == (True, {})
    assert tried["answers"][0]["reason"] == "FLAG_NOT_FOUND"


async def test_archived_prerequisite_is_not_there(shop: Tower) -> None:
    await shop.ok("PATCH", f"{FLAGS}/one", {"requires": []})
    await shop.ok("POST", f"{FLAGS}/base/archive", {"force": True})
    tried = await try_out(shop, targeting_keys=["user-6"], flag={"requires": [{"flag": "base"}]})
    assert tried["answers"][0]["prerequisite_reason"] == "FLAG_NOT_FOUND"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "contexts"),
        ({"contexts": [], "targeting_keys": []}, "contexts"),
        ({"contexts": []}, "contexts"),
        ({"contexts": [{}] * 101}, "contexts"),
        ({"targeting_keys": ["u"] * 1_001}, "targeting_keys"),
        ({"targeting_keys": ["u" * 1_025]}, "targeting_keys[0]"),
        ({"contexts": [{"attributes": {str(n): n for n in range(1_001)}}]}, "contexts[0].attributes"),
        ({"contexts": [{"key": "u"}]}, "contexts[0].key"),
    ],
)
async def test_question_that_is_none_or_too_much_is_refused(shop: Tower, body: object, field: str) -> None:
    assert (await shop.call("POST", f"{FLAGS}/one/evaluate", body)).error == (400, "INVALID", field)


async def test_question_that_is_too_much_work_is_refused(shop: Tower) -> None:
    when = [{"attribute": "agent", "operator": "matches", "values": ["(Mozilla|Opera).*Firefox/[0-9]+"]}]
    await shop.ok("PATCH", f"{FLAGS}/one", {"rules": [{"when": when, "rollout": 50}]})
    contexts = [{"attributes": {"agent": ["x" * 900] * 1_000}}, {"attributes": {"agent": ["x" * 900] * 900}}]
    answer = await shop.call("POST", f"{FLAGS}/one/evaluate", {"contexts": contexts})
    assert answer.status == 400
    assert answer.body["field"] in {"contexts[0]", "contexts[1]"}
    assert "units of work" in answer.body["detail"]


async def test_answer_that_would_be_too_large_is_refused(shop: Tower) -> None:
    large = {"type": "object", "variants": {"off": {}, "on": {"text": "x" * 400_000}}, "off_variant": "off"}
    await shop.ok("POST", FLAGS, {"key": "large", "active": True, **large})
    answer = await shop.call("POST", f"{FLAGS}/large/evaluate", {"targeting_keys": KEYS})
    assert answer.error == (400, "INVALID", "targeting_keys")
    assert "at most 41 " in answer.body["detail"]
    tried = await shop.call("POST", f"{FLAGS}/large/evaluate", {"targeting_keys": KEYS[:41]})
    assert tried.status == 200
    assert len(orjson.dumps(tried.body)) < 16 << 20
