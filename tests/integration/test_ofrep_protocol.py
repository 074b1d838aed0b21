"""OFREP item by item, on a real sidecar: which request gets which answer; and whatever schemathesis can think of.

The unmodified clients are in `test_ofrep_providers`. That the hot path and aiohttp answer alike is shown elsewhere.
"""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import schemathesis
import typed_flags
import yaml
from ofrep_bench import (
    ALLOWED,
    DENIED,
    EVERYBODY,
    FLAGS,
    HALF,
    NOBODY,
    TRIPPED,
    OfrepSidecar,
    put,
    put_all,
    put_flags,
    ruleset,
    serve,
    serving,
)
from ofrep_clients import until_seen
from operation_tests import operation_ids, try_operation
from schemathesis import BaseSchema
from sidecar_bench import Bench, bench_on
from typed_flags import KINDS, Case
from yarl import URL

from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.stack import Endpoints

DOCUMENT = Path(__file__).parents[2] / "docs" / "api" / "ofrep.yaml"
ALL = "/ofrep/v1/evaluate/flags"
JSON = {"Content-Type": "application/json"}
TOKEN = "a-token-of-some-length"
WAIT_S = 10.0


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]


async def ask(
    base: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = JSON, method: str = "POST"
) -> Answer:
    """Send a request as it is given: nothing is encoded, no header is added for the body."""
    url = URL(f"{base}{path}", encoded=True)
    data = None if body is None else io.BytesIO(body)
    skipped = ["Content-Type"] if body is not None and "Content-Type" not in headers else []
    async with (
        aiohttp.ClientSession(skip_auto_headers=skipped) as session,
        session.request(method, url, data=data, headers=headers) as answer,
    ):
        raw = await answer.read()
        return Answer(answer.status, json.loads(raw) if raw else None, answer.headers)


def context(**fields: object) -> bytes:
    return json.dumps({"context": fields}).encode()


def success(key: str, value: bool, reason: str, **metadata: object) -> dict[str, object]:
    return {
        "key": key,
        "value": value,
        "reason": reason,
        "variant": "on" if value else "off",
        "metadata": {"stale": False, "active": value, "version": 1, **metadata},
    }


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.fixture
async def sidecar(bench: Bench) -> AsyncIterator[OfrepSidecar]:
    async with serving(bench) as running:
        yield running


@pytest.fixture
async def typed_sidecar(bench: Bench) -> OfrepSidecar:
    """Start a sidecar with flags of every type besides; the bench ends it."""
    await put_flags(bench)
    await put_all(bench, typed_flags.rulesets(bench.app), typed_flags.circuits(), typed_flags.segments(bench.app))
    return await serve(bench, any_free_port())


async def test_single_evaluations(sidecar: OfrepSidecar) -> None:
    expected = [
        (EVERYBODY, context(targetingKey="u"), success(EVERYBODY, True, "STATIC")),
        (EVERYBODY, b"{}", success(EVERYBODY, True, "STATIC")),
        (EVERYBODY, b"", success(EVERYBODY, True, "STATIC")),
        (EVERYBODY, b'{"context": null, "more": 1}', success(EVERYBODY, True, "STATIC")),
        (NOBODY, context(targetingKey="u"), success(NOBODY, False, "DISABLED", disabled_by="flag")),
        (
            TRIPPED,
            context(targetingKey="u"),
            success(TRIPPED, False, "DISABLED", circuit="open", disabled_by="circuit"),
        ),
        (HALF, context(targetingKey=ALLOWED, nested={"a": [None]}), success(HALF, True, "TARGETING_MATCH")),
        (HALF, context(targetingKey=DENIED), success(HALF, False, "TARGETING_MATCH")),
    ]
    for flag, body, answer in expected:
        for path in (
            f"{ALL}/{flag}",
            f"{ALL}/{flag}/",
            f"{ALL}/{flag}?flagConfigEtag=%221%22",
            f"{ALL}/%{ord(flag[0]):x}{flag[1:]}",
        ):
            given = await ask(sidecar.url, path, body)
            assert (given.status, given.body) == (200, answer), path
            assert given.headers["Content-Type"] == "application/json"
    bare = await ask(sidecar.url, f"{ALL}/{EVERYBODY}", None, {})
    assert (bare.status, bare.body) == (200, success(EVERYBODY, True, "STATIC"))


async def test_all_types_in_one_answer(typed_sidecar: OfrepSidecar) -> None:
    every = await ask(typed_sidecar.url, ALL, context(country="DE"))

    answers = {answer["key"]: answer for answer in every.body["flags"]}
    assert list(answers) == sorted([*FLAGS, *typed_flags.KEYS])
    told = {**typed_flags.OWN, "stale": False, "version": 1}
    for kind, of in KINDS.items():
        assert answers[typed_flags.key(kind, Case.RULES)] == {
            "key": typed_flags.key(kind, Case.RULES),
            "value": of.other,
            "reason": "TARGETING_MATCH",
            "variant": "other",
            "metadata": {**told, "active": True, "rule": "germans"},
        }
        assert answers[typed_flags.key(kind, Case.DEPENDENT)] == {
            "key": typed_flags.key(kind, Case.DEPENDENT),
            "value": of.none,
            "reason": "DISABLED",
            "variant": "none",
            "metadata": {
                **told,
                "active": False,
                "disabled_by": "prerequisite",
                "prerequisite": typed_flags.key(kind, Case.OPEN),
                "prerequisite_reason": "CIRCUIT_OPEN",
            },
        }
        assert answers[typed_flags.key(kind, Case.SPLIT)]["errorCode"] == "TARGETING_KEY_MISSING"
    for flag, answer in answers.items():
        one = await ask(typed_sidecar.url, f"{ALL}/{flag}", context(country="DE"))
        assert (one.status, one.body) == (400 if "errorCode" in answer else 200, answer)


async def test_our_metadata_is_ours_alone(bench: Bench, sidecar: OfrepSidecar) -> None:
    """Even if the answer has no such entry, so that no answer names a circuit that the flag does not have."""
    ours = ("stale", "active", "circuit", "version", "rule", "disabled_by", "prerequisite", "prerequisite_reason")
    own = {**dict.fromkeys(ours, "theirs"), "Stale": "theirs"}
    await put(bench, replace(ruleset(bench, EVERYBODY), version=2, metadata=tuple(own.items())))

    async def told() -> object:
        return (await ask(sidecar.url, f"{ALL}/{EVERYBODY}", b"{}")).body["metadata"]

    await until_seen(told, {"Stale": "theirs", "stale": False, "active": True, "version": 2})


async def test_a_flag_that_is_rolled_out_by_an_attribute_asks_for_it(bench: Bench, sidecar: OfrepSidecar) -> None:
    await put(bench, replace(ruleset(bench, HALF), version=2, bucket_by="company"))

    async def told() -> object:
        return (await ask(sidecar.url, f"{ALL}/{HALF}", context(targetingKey="u"))).body

    details = "context.company: expected a value: this flag is rolled out by it"
    await until_seen(told, {"key": HALF, "errorCode": "TARGETING_KEY_MISSING", "errorDetails": details})
    known = await ask(sidecar.url, f"{ALL}/{HALF}", context(company="c"))
    assert (known.status, known.body["reason"]) == (200, "SPLIT")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "PARSE_ERROR"),
        (b"[]", 400, "PARSE_ERROR"),
        (b"\xff", 400, "PARSE_ERROR"),
        (b"[" * 5_000, 400, "PARSE_ERROR"),
        (b'{"context": 5}', 400, "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 5}}', 400, "INVALID_CONTEXT"),
        (b" " * 1_100_000, 413, "GENERAL"),
    ],
    ids=["cut off", "a list", "no text", "too deep", "no context", "no key", "too large"],
)
async def test_what_is_no_request_is_refused(sidecar: OfrepSidecar, body: bytes, status: int, code: str) -> None:
    one = await ask(sidecar.url, f"{ALL}/{HALF}", body)
    every = await ask(sidecar.url, ALL, body)

    assert (one.status, every.status) == (status, status)
    details = one.body["errorDetails"]
    assert details
    assert one.body == {"key": HALF, "errorCode": code, "errorDetails": details}
    assert every.body == {"errorCode": code, "errorDetails": every.body["errorDetails"]}


async def test_a_missing_targeting_key_concerns_only_flags_that_need_one(sidecar: OfrepSidecar) -> None:
    one = await ask(sidecar.url, f"{ALL}/{HALF}", context(targetingKey=""))
    every = await ask(sidecar.url, ALL, b"{}")

    missing = {
        "key": HALF,
        "errorCode": "TARGETING_KEY_MISSING",
        "errorDetails": "context.targetingKey: expected a value: this flag is rolled out by it",
    }
    assert (one.status, one.body) == (400, missing)
    assert (every.status, every.body["flags"]) == (
        200,
        [
            success(TRIPPED, False, "DISABLED", circuit="open", disabled_by="circuit"),
            success(EVERYBODY, True, "STATIC"),
            missing,
            success(NOBODY, False, "DISABLED", disabled_by="flag"),
        ],
    )


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("nothing", "nothing"),
        ("No%20Such%20Flag", "No Such Flag"),
        ("caf%C3%A9", "café"),
        ("a%2Fb", "a/b"),
        ("a/b/c", "a/b/c"),
        ("%7Bkey%7D", "{key}"),
        ("100%2525", "100%25"),
        ("%0A", "\n"),
        ("null", "null"),
    ],
)
async def test_an_unknown_flag_is_named(sidecar: OfrepSidecar, path: str, key: str) -> None:
    given = await ask(sidecar.url, f"{ALL}/{path}", b"{}")

    assert (given.status, given.body["key"], given.body["errorCode"]) == (404, key, "FLAG_NOT_FOUND")
    assert given.body["errorDetails"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
async def test_another_content_type_is_refused(sidecar: OfrepSidecar, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    one = await ask(sidecar.url, f"{ALL}/{HALF}", context(targetingKey="u"), headers)
    every = await ask(sidecar.url, ALL, context(targetingKey="u"), headers)

    details = f"Content-Type: expected application/json, got {content_type or 'application/octet-stream'}"
    assert (one.status, one.body) == (415, {"key": HALF, "errorCode": "GENERAL", "errorDetails": details})
    assert (every.status, every.body) == (415, {"errorCode": "GENERAL", "errorDetails": details})


async def test_other_methods_and_paths_are_errors_of_the_protocol_too(sidecar: OfrepSidecar) -> None:
    one = await ask(sidecar.url, f"{ALL}/{HALF}", method="GET")
    every = await ask(sidecar.url, ALL, method="PUT")
    elsewhere = await ask(sidecar.url, "/ofrep/v2/evaluate/flags", b"{}")

    assert (one.status, one.headers["Allow"], one.body["key"]) == (405, "POST", HALF)
    assert (every.status, every.headers["Allow"], every.body["errorCode"]) == (405, "POST", "GENERAL")
    assert (elsewhere.status, elsewhere.body["errorCode"]) == (404, "GENERAL")


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "nonsense"])
async def test_no_body_is_decompressed(sidecar: OfrepSidecar, coding: str) -> None:
    body = gzip.compress(context(targetingKey=ALLOWED))
    told = await ask(sidecar.url, f"{ALL}/{HALF}", body, {**JSON, "Content-Encoding": coding})

    assert (told.status, told.body["key"], told.body["errorCode"]) == (415, HALF, "GENERAL")
    assert told.headers["Accept-Encoding"] == "identity"


async def test_an_etag_spares_what_is_known(sidecar: OfrepSidecar) -> None:
    first = await ask(sidecar.url, ALL, context(targetingKey="u"))
    etag = first.headers["ETag"]
    bare = etag.strip('"')

    for known in (etag, f"W/{etag}", bare, f'"other", {etag}', "*"):
        for path in (ALL, f"{ALL}/", f"{ALL}?flagConfigEtag=%221%22&flagConfigLastModified=5"):
            again = await ask(sidecar.url, path, context(targetingKey="u"), {**JSON, "If-None-Match": known})
            assert (again.status, again.body, again.headers["ETag"]) == (304, None, etag), known
            assert "Content-Type" not in again.headers
    for other in ('"other"', "", f'"{bare}x"', f'"{bare}', f"w/{etag}"):
        again = await ask(sidecar.url, ALL, context(targetingKey="u"), {**JSON, "If-None-Match": other})
        assert (again.status, again.headers["ETag"]) == (200, etag), other
    another = await ask(sidecar.url, ALL, context(targetingKey=DENIED), {**JSON, "If-None-Match": etag})
    assert (another.status, another.headers["ETag"] == etag) == (200, False)


async def test_a_token_is_asked_for_where_there_is_one(bench: Bench) -> None:
    async with serving(bench, TOKEN) as sidecar:
        good: list[dict[str, str]] = [
            {"Authorization": f"Bearer {TOKEN}"},
            {"Authorization": f"bearer {TOKEN}"},
            {"X-API-Key": TOKEN},
        ]
        bad: list[dict[str, str]] = [{}, {"Authorization": TOKEN}, {"Authorization": "Bearer x"}, {"X-API-Key": "x"}]
        for headers in good:
            assert (await ask(sidecar.url, f"{ALL}/{EVERYBODY}", b"{}", {**JSON, **headers})).status == 200
            assert (await ask(sidecar.url, ALL, b"{}", {**JSON, **headers})).status == 200
        for headers in bad:
            one = await ask(sidecar.url, f"{ALL}/{EVERYBODY}", b"{}", {**JSON, **headers})
            every = await ask(sidecar.url, ALL, b"{}", {**JSON, **headers})
            assert (one.status, one.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert (one.body["key"], one.body["errorCode"]) == (EVERYBODY, "GENERAL")
            assert (every.status, every.body["errorCode"]) == (401, "GENERAL")

        streams = (await ask(sidecar.url, ALL, b"{}", {**JSON, **good[0]})).body["eventStreams"]
        stream = streams[0]["endpoint"]["requestUri"]
        assert TOKEN not in stream
        key = stream.partition("?key=")[2]
        assert (await ask(sidecar.url, ALL, b"{}", {**JSON, "X-API-Key": key})).status == 401
        assert (await ask(sidecar.url, f"{ALL}?key={key}", b"{}")).status == 401
        assert (await ask(sidecar.url, "/ofrep/v1/events", method="GET", headers={})).status == 401
        for path, headers in ((stream, {}), ("/ofrep/v1/events", good[0])):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{sidecar.url}{path}", headers=headers) as answer,
            ):
                assert (answer.status, answer.content_type) == (200, "text/event-stream")


async def next_event(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Read on to the next event; return its fields, with its data read."""
    fields: dict[str, Any] = {}
    async with asyncio.timeout(WAIT_S):
        while True:
            line = (await answer.content.readline()).decode().rstrip("\n")
            name, colon, value = line.partition(": ")
            if colon and name:
                fields[name] = value
            elif not line and "data" in fields:
                return {**fields, "data": json.loads(fields["data"])}


async def test_a_change_is_told_and_none_is_missed_while_away(bench: Bench, sidecar: OfrepSidecar) -> None:
    stream = (await ask(sidecar.url, ALL)).body["eventStreams"]
    assert stream == [{"type": "sse", "endpoint": {"requestUri": "/ofrep/v1/events"}}]
    url = f"{sidecar.url}/ofrep/v1/events"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            at_once = await next_event(answer)
            await put(bench, replace(ruleset(bench, NOBODY), version=2))
            told = await next_event(answer)
        assert told["event"] == "message"
        assert told["data"] == {"type": "refetchEvaluation", "etag": f'"{told["id"]}"'}
        assert told["id"] != at_once["id"]

        async with session.get(url, headers={"Last-Event-ID": told["id"]}) as answer:
            await put(bench, replace(ruleset(bench, EVERYBODY), version=2))
            later = await next_event(answer)
        assert later["id"] not in {told["id"], at_once["id"]}

        await sidecar.sidecar.end()
        await sidecar.restart()
        async with session.get(url, headers={"Last-Event-ID": later["id"]}) as answer:
            assert (await next_event(answer))["id"] != later["id"]


async def test_before_rulesets_are_loaded_nothing_is_said_of_flags(servers: Endpoints) -> None:
    """An empty answer would make clients forget what they know."""
    async with bench_on(f"nats://127.0.0.1:{any_free_port()}", servers.redis_url) as bench:
        sidecar = await serve(bench, any_free_port(), ready=False)

        one, every = await ask(sidecar.url, f"{ALL}/{HALF}", b"{}"), await ask(sidecar.url, ALL, b"{}")

    details = "no rulesets are loaded yet, neither from JetStream nor from a snapshot"
    assert (one.status, one.body) == (500, {"key": HALF, "errorCode": "GENERAL", "errorDetails": details})
    assert (every.status, every.body) == (500, {"errorCode": "GENERAL", "errorDetails": details})


def described() -> BaseSchema:
    """Read our own description, with the flags that there are among the keys to be tried."""
    document = yaml.safe_load(DOCUMENT.read_text())
    key = document["paths"][f"{ALL}/{{key}}"]["post"]["parameters"][0]
    key["schema"] = {"anyOf": [{"enum": [*FLAGS, *typed_flags.KEYS]}, key["schema"]]}
    key.pop("example")
    schema = schemathesis.openapi.from_dict(document)
    # A flag that is rolled out by a key refuses whoever has none, however well the request is made.
    schema.config.checks.positive_data_acceptance.expected_statuses += ["400"]
    return schema


@pytest.fixture(scope="module")
def description() -> BaseSchema:
    return described()


@pytest.mark.parametrize("name", ["evaluateFlag", "evaluateFlags"])
def test_the_sidecar_is_as_its_description_says(
    name: str, description: BaseSchema, typed_sidecar: OfrepSidecar
) -> None:
    def check(case: "schemathesis.Case[Any]") -> None:
        case.call_and_validate(base_url=typed_sidecar.url)

    try_operation(description, name, check, examples=150)


def test_no_operation_is_described_and_not_tried(description: BaseSchema) -> None:
    assert list(operation_ids(description)) == ["evaluateFlag", "evaluateFlags"]
