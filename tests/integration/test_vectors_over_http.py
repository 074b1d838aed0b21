"""The golden vectors against a sidecar on a real NATS: what it makes of the wire, and what it answers over HTTP.

All cases share one sidecar and one app. Each has keys of its own, `v<number>.` before those that it is written with;
since a salt is not a key, this moves no bucket.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import nats
import orjson
import pytest
from sidecar_bench import Bench, Sidecar, bench_on

from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, FlagId, SegmentId
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.jetstream import ensure_bucket

Json = dict[str, Any]

VECTORS = Path(__file__).parent.parent / "conformance"
ANSWERS: list[Json] = json.loads((VECTORS / "evaluation.json").read_text(encoding="utf-8"))["cases"]
CONDITIONS: list[Json] = json.loads((VECTORS / "conditions.json").read_text(encoding="utf-8"))["cases"]
AT_ONCE = 50
"""How many values are written, or questions asked, at the same time."""

OPENFEATURE_REASONS = {
    "STATIC": "STATIC",
    "TARGETING_MATCH": "TARGETING_MATCH",
    "SPLIT": "SPLIT",
    "DISABLED": "DISABLED",
    "CIRCUIT_OPEN": "DISABLED",
    "PREREQUISITE_FAILED": "DISABLED",
    "TARGETING_KEY_MISSING": "DISABLED",
}
DISABLED_BY = {
    "DISABLED": "flag",
    "CIRCUIT_OPEN": "circuit",
    "PREREQUISITE_FAILED": "prerequisite",
    "TARGETING_KEY_MISSING": "circuit",
}
OURS = {"active", "circuit", "version", "rule", "prerequisite", "prerequisite_reason", "disabled_by", "stale"}
"""All three as docs/evaluation.md says it, under "Towards OpenFeature": reasons, what a flag is off by, and names in
metadata that a ruleset cannot have for its own."""


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@dataclass
class Wire:
    """What is in the buckets of one app, by bucket and key."""

    app: str
    values: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def add(self, prefix: str, *, rulesets: list[Json], segments: list[Json], circuits: Json) -> None:
        """Add what a case is written with, with `prefix` before each key of a flag and a segment."""
        for ruleset in rulesets:
            renamed = self._renamed(prefix, ruleset)
            if "requires" in ruleset:
                renamed["requires"] = [{**one, "flag": prefix + one["flag"]} for one in ruleset["requires"]]
            if "rules" in ruleset:
                renamed["rules"] = [{**rule, "when": _prefixed(prefix, rule["when"])} for rule in ruleset["rules"]]
            self.values[RULESETS_BUCKET, str(FlagId(self.app, renamed["key"]))] = orjson.dumps(renamed)
        for segment in segments:
            renamed = self._renamed(prefix, segment)
            self.values[RULESETS_BUCKET, str(SegmentId(self.app, renamed["key"]))] = orjson.dumps(renamed)
        for key, circuit in circuits.items():
            self.values[CIRCUITS_BUCKET, str(FlagId(self.app, prefix + key))] = orjson.dumps(circuit)

    def _renamed(self, prefix: str, value: Json) -> Json:
        return {**value, "app": self.app, "key": prefix + value["key"]}

    async def write(self, nats_url: str) -> None:
        async with await nats.connect(nats_url) as client:
            for bucket in (RULESETS_BUCKET, CIRCUITS_BUCKET):
                await ensure_bucket(client, bucket)
                kv = await client.jetstream().key_value(bucket)
                puts = [kv.put(key, value) for (where, key), value in self.values.items() if where == bucket]
                for batch in _batches(puts):
                    await asyncio.gather(*batch)


def _prefixed(prefix: str, conditions: list[Json]) -> list[Json]:
    """Return conditions that name the segments of a case by their keys here."""
    return [
        {**condition, "values": [prefix + key for key in condition["values"]]}
        if condition["operator"] == "in_segment"
        else condition
        for condition in conditions
    ]


def _batches(things: list[Any]) -> Iterable[list[Any]]:
    return (things[start : start + AT_ONCE] for start in range(0, len(things), AT_ONCE))


async def _sidecar_with(bench: Bench, wire: Wire) -> Sidecar:
    await wire.write(bench.nats_url)
    sidecar = await bench.start()
    assert await sidecar.metric('tailslide_sidecar_refused_values_total{bucket="rulesets"}') == 0, sidecar.log()
    assert await sidecar.metric('tailslide_sidecar_refused_values_total{bucket="circuits"}') == 0, sidecar.log()
    return sidecar


async def ask_ofrep(session: aiohttp.ClientSession, flag: str, context: Json) -> tuple[int, Json]:
    asked: Json = dict(context.get("attributes", {}))
    # Of the same name as the targeting key no attribute can be told from it here.
    if "targeting_key" in context:
        asked["targetingKey"] = context["targeting_key"]
    # Escaped, since a lone surrogate cannot be said otherwise.
    body = json.dumps({"context": asked}).encode()
    headers = {"content-type": "application/json"}
    async with session.post(f"/ofrep/v1/evaluate/flags/{flag}", data=body, headers=headers) as answer:
        return answer.status, orjson.loads(await answer.read())


async def ask_natively(session: aiohttp.ClientSession, flag: str, context: Json) -> tuple[int, Json]:
    query = dict(context.get("attributes", {}))
    if "targeting_key" in context:
        query["targeting_key"] = context["targeting_key"]
    async with session.get(f"/v1/flags/{flag}?{urlencode(query, doseq=True)}") as answer:
        return answer.status, orjson.loads(await answer.read())


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def in_a_query(context: Json) -> bool:
    """Whether a query can say a context: it knows texts and lists of several texts."""
    attributes = context.get("attributes", {})
    if "targeting_key" in attributes or not _is_text(context.get("targeting_key", "")):
        return False
    return all(
        _is_text(value) or (isinstance(value, list) and len(value) > 1 and all(map(_is_text, value)))
        for value in attributes.values()
    )


def in_a_context_of_ofrep(context: Json) -> bool:
    return "targetingKey" not in context.get("attributes", {})


def asked_ruleset(case: Json) -> Json:
    return next((ruleset for ruleset in case["rulesets"] if ruleset["key"] == case["flag"]), {})


def written(case: Json, value: object) -> object:
    """Return a value as a sidecar writes it: whole numbers with a fraction where another of the flag has one."""
    others = (asked_ruleset(case).get("variants") or {}).values()
    return float(value) if type(value) is int and any(isinstance(other, float) for other in others) else value


def same(found: tuple[int, Json], expected: tuple[int, Json]) -> bool:
    """Whether two answers are the same JSON: true is not 1 there, and 1.0 not 1."""
    return json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)


def native_answer(case: Json, prefix: str, metadata: Json) -> tuple[int, Json]:
    expected = _with_prefix(case["expected"], prefix)
    if expected["reason"] == "FLAG_NOT_FOUND":
        return 404, {"code": "FLAG_NOT_FOUND"}
    always = ("active", "variant", "value", "reason", "circuit", "version")
    body = {"flag": prefix + case["flag"], **{name: expected[name] for name in always}}
    body["value"] = written(case, expected["value"])
    return 200, body | _given(expected, "rule", "prerequisite", "prerequisite_reason") | _given({"metadata": metadata})


def ofrep_answer(case: Json, prefix: str, metadata: Json) -> tuple[int, Json]:
    expected, key = _with_prefix(case["expected"], prefix), prefix + case["flag"]
    if expected["error"]:
        status = 404 if expected["reason"] == "FLAG_NOT_FOUND" else 400
        return status, {"key": key, "errorCode": expected["reason"]}
    told = _given(expected, "active", "circuit", "version", "rule", "prerequisite", "prerequisite_reason")
    if expected["reason"] in DISABLED_BY:
        told["disabled_by"] = DISABLED_BY[expected["reason"]]
    return 200, {
        "key": key,
        "value": written(case, expected["value"]),
        "variant": expected["variant"],
        "reason": OPENFEATURE_REASONS[expected["reason"]],
        "metadata": {**{name: metadata[name] for name in metadata.keys() - OURS}, **told, "stale": False},
    }


def _with_prefix(expected: Json, prefix: str) -> Json:
    named = expected["prerequisite"]
    return {**expected, "prerequisite": None if named is None else prefix + named}


def _given(values: Json, *names: str) -> Json:
    return {name: values[name] for name in names or values if values[name] not in (None, {})}


async def test_a_sidecar_answers_as_the_vectors_of_evaluation_say(bench: Bench) -> None:
    wire = Wire(bench.app)
    for number, case in enumerate(ANSWERS):
        parts = {name: case[name] for name in ("rulesets", "segments", "circuits")}
        wire.add(f"v{number}.", **parts)
    sidecar = await _sidecar_with(bench, wire)
    wrong: list[tuple[object, ...]] = []
    natively = 0

    async def check(session: aiohttp.ClientSession, number: int, case: Json) -> None:
        nonlocal natively
        prefix = f"v{number}."
        flag, context = prefix + case["flag"], case["context"]
        metadata = asked_ruleset(case).get("metadata") or {}
        status, body = await ask_ofrep(session, flag, context)
        body.pop("errorDetails", None)
        if not same((status, body), ofrep_answer(case, prefix, metadata)):
            wrong.append((case["name"], "over OFREP", status, body))
        if not in_a_query(context):
            return
        natively += 1
        status, body = await ask_natively(session, flag, context)
        if "error" in body:
            body = {"code": body["error"]["code"]}
        if not same((status, body), native_answer(case, prefix, metadata)):
            wrong.append((case["name"], "natively", status, body))

    async with sidecar.flags() as session:
        for batch in _batches(list(enumerate(ANSWERS))):
            await asyncio.gather(*(check(session, number, case) for number, case in batch))
    assert not wrong, "\n".join(map(str, wrong))
    assert natively > len(ANSWERS) * 0.8


VERDICTS = {"type": "string", "variants": {"true": "t", "false": "f", "unknown": "u"}, "off_variant": "unknown"}


async def test_a_sidecar_holds_conditions_as_the_vectors_say(bench: Bench) -> None:
    """Each condition is a flag with two rules: one for where it holds, one for where it holds negated."""
    wire = Wire(bench.app)
    asked: list[tuple[Json, str, str, Json]] = []
    for number, case in enumerate(CONDITIONS):
        written = case["condition"]
        rules = [{"when": [written], "variant": "true"}, {"when": [{**written, "negate": True}], "variant": "false"}]
        ruleset = {"schema": 2, "app": "", "key": "c", "version": 1, "active": True, "rollout": 0, "salt": "c"}
        ruleset |= {**VERDICTS, "split": [{"variant": "true", "weight": 1}], "rules": rules}
        wire.add(f"v{number}.", rulesets=[ruleset], segments=case.get("segments", []), circuits={})
        for said in ("true", "false", "unknown"):
            contexts = filter(in_a_context_of_ofrep, case[said])
            asked += [(case, f"v{number}.c", said, context) for context in contexts]
    sidecar = await _sidecar_with(bench, wire)
    wrong: list[tuple[object, ...]] = []

    async def check(session: aiohttp.ClientSession, case: Json, flag: str, said: str, context: Json) -> None:
        status, body = await ask_ofrep(session, flag, context)
        if (status, body.get("variant")) != (200, said):
            wrong.append((case["name"], ascii(context), said, status, body))

    async with sidecar.flags() as session:
        for batch in _batches(asked):
            await asyncio.gather(*(check(session, *question) for question in batch))
    assert not wrong, "\n".join(map(str, wrong))
