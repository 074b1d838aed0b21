"""OpenFeature's official OFREP providers, unmodified, against a real sidecar: Python, server-side JavaScript, web.

How they hear of changes, and what they make of tokens and of sidecars that are away. What they are told of flags of
every type is in `test_ofrep_types`, OpenFeature's own scenarios in `test_openfeature_scenarios`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from ofrep_bench import (
    ALLOWED,
    DENIED,
    EVERYBODY,
    HALF,
    NOBODY,
    TRIPPED,
    OfrepSidecar,
    put,
    put_flags,
    ruleset,
    serve,
    serving,
)
from ofrep_clients import KINDS, Client, Details, WebClient, client_of, until_seen
from real_servers import real_servers
from sidecar_bench import Bench, bench_on
from tower_bench import tower_bench

from tailslide_core.circuit import Circuit
from tailslide_core.conditions import Condition, Operator
from tailslide_core.ruleset import Requirement, Rule
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.stack import Endpoints

TOKEN = "a-token-of-some-length"
CHANGED = "PROVIDER_CONFIGURATION_CHANGED"


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.fixture
async def sidecar(bench: Bench) -> AsyncIterator[OfrepSidecar]:
    async with serving(bench) as running:
        yield running


@pytest.fixture
async def web() -> AsyncIterator[WebClient]:
    async with client_of("web") as client:
        yield cast(WebClient, client)


def on(reason: str = "STATIC", version: int = 1, **metadata: object) -> Details:
    return Details(True, reason, "on", None, {"stale": False, "active": True, "version": version, **metadata})


def off(reason: str = "DISABLED", version: int = 1, by: str = "flag", **metadata: object) -> Details:
    """`by` is what has turned the flag off, where that is the reason."""
    whose = {"disabled_by": by} if reason in {"DISABLED", "CACHED"} else {}
    return Details(
        False, reason, "off", None, {"stale": False, "active": False, "version": version, **whose, **metadata}
    )


def failed(default: object, error: str) -> Details:
    return Details(default, "ERROR", None, error)


async def connected(client: Client, sidecar: OfrepSidecar) -> None:
    await client.connect(sidecar.url, targetingKey=ALLOWED)


@pytest.mark.parametrize("kind", KINDS)
async def test_values_variants_reasons_and_metadata(kind: str, sidecar: OfrepSidecar) -> None:
    async with client_of(kind) as client:
        await connected(client, sidecar)

        assert await client.details(EVERYBODY, False, targetingKey=ALLOWED) == on()
        assert await client.details(NOBODY, True, targetingKey=ALLOWED) == off()
        assert await client.details(TRIPPED, True, targetingKey=ALLOWED) == off(by="circuit", circuit="open")
        assert await client.details(HALF, False, targetingKey=ALLOWED) == on("TARGETING_MATCH")
        assert await client.details(HALF, True, targetingKey=DENIED, plan="pro") == off("TARGETING_MATCH")
        assert await client.details(EVERYBODY, False, plan="pro") == on()


@pytest.mark.parametrize("kind", KINDS)
async def test_what_cannot_be_answered_is_the_caller_s_default(kind: str, sidecar: OfrepSidecar) -> None:
    async with client_of(kind) as client:
        await connected(client, sidecar)

        for default in (True, False):
            missing = await client.details("nothing", default, targetingKey=ALLOWED)
            assert missing == failed(default, "FLAG_NOT_FOUND")
            keyless = await client.details(HALF, default, plan="pro")
            assert keyless == failed(default, "TARGETING_KEY_MISSING")
        for other in ("text", 0.5, {"a": 1}):
            given = await client.details(EVERYBODY, other, targetingKey=ALLOWED)
            assert (given.value, given.reason, given.error) == (other, "ERROR", "TYPE_MISMATCH")


@pytest.mark.parametrize("kind", ["python", "server"])
async def test_a_context_that_cannot_be_read_is_named(kind: str, sidecar: OfrepSidecar) -> None:
    async with client_of(kind) as client:
        await connected(client, sidecar)

        for default in (True, "text", 3, 0.5, {"a": 1}):
            number = await client.details(HALF, default, targetingKey=5)
            assert number == failed(default, "INVALID_CONTEXT")
            endless = await client.details(HALF, default, targetingKey=ALLOWED, groups=["g"] * 10_001)
            assert endless == failed(default, "INVALID_CONTEXT")


async def test_a_context_that_cannot_be_read_leaves_the_web_client_what_it_knew(
    web: WebClient, sidecar: OfrepSidecar
) -> None:
    await connected(web, sidecar)
    assert await web.events("PROVIDER_ERROR") == []

    for unreadable in ({"targetingKey": 5}, {"targetingKey": DENIED, "groups": ["g"] * 10_001}):
        assert await web.details(HALF, False, **unreadable) == on("TARGETING_MATCH")
        assert await web.events("PROVIDER_ERROR") == [[]]
    assert await web.details(HALF, True, targetingKey=DENIED) == off("TARGETING_MATCH")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_token_lets_in_and_its_absence_is_an_error(kind: str, bench: Bench) -> None:
    async with serving(bench, TOKEN) as sidecar:
        async with client_of(kind, TOKEN) as client:
            await connected(client, sidecar)
            assert await client.details(HALF, False, targetingKey=ALLOWED) == on("TARGETING_MATCH")
            if isinstance(client, WebClient):
                # Its stream of changes is let in as well, without a header.
                await put(bench, replace(ruleset(bench, HALF), version=2, active=False))
                await until_seen(lambda: client.details(HALF, True), off(version=2))
        for token in (None, "another"):
            async with client_of(kind, token) as client:
                await connected(client, sidecar)
                if isinstance(client, WebClient):
                    assert client.refusal == "ProviderFatalError: Initialization failed"
                    assert await client.details(HALF, True) == failed(True, "PROVIDER_FATAL")
                else:
                    assert await client.details(HALF, True, targetingKey=ALLOWED) == failed(True, "GENERAL")


@pytest.mark.parametrize("kind", ["python", "server"])
async def test_a_toggle_is_seen_by_the_next_call_and_a_sidecar_that_is_away_is_the_default(
    kind: str, bench: Bench, sidecar: OfrepSidecar
) -> None:
    async with client_of(kind) as client:
        await connected(client, sidecar)

        await put(bench, replace(ruleset(bench, EVERYBODY), version=2, active=False))
        await until_seen(lambda: client.details(EVERYBODY, True, targetingKey=ALLOWED), off(version=2))
        await bench.put_circuit(Circuit())
        await until_seen(lambda: client.details(TRIPPED, False, targetingKey=ALLOWED), on(circuit="closed"))

        await sidecar.sidecar.end()
        for default in (True, False):
            away = await client.details(EVERYBODY, default, targetingKey=ALLOWED)
            assert away == failed(default, "GENERAL")
        await sidecar.restart()
        assert await client.details(EVERYBODY, True, targetingKey=ALLOWED) == off(version=2)


async def test_a_change_reaches_the_web_client_within_a_second(
    web: WebClient, bench: Bench, sidecar: OfrepSidecar
) -> None:
    await connected(web, sidecar)
    took_s = []
    await web.events(CHANGED)
    await web.requests()

    for version in range(2, 7):
        began = time.monotonic()
        active = version % 2 == 1
        await put(bench, replace(ruleset(bench, EVERYBODY), version=version, active=active))
        await until_seen(lambda: web.details(EVERYBODY, False), on(version=version) if active else off(version=version))
        took_s.append(time.monotonic() - began)

    assert sorted(took_s)[2] < 1.0, took_s
    assert [EVERYBODY] in await web.events(CHANGED)
    assert all("flagConfigEtag=" in request["url"] for request in await web.requests() if request["method"] == "POST")
    await bench.put_circuit(Circuit())
    await until_seen(lambda: web.details(TRIPPED, False), on(circuit="closed"))
    assert await web.events(CHANGED) == [[TRIPPED]]


async def test_a_circuit_is_heard_of_by_the_web_client_for_all_flags_that_require_its_flag(
    web: WebClient, bench: Bench, sidecar: OfrepSidecar
) -> None:
    await put(bench, replace(ruleset(bench, EVERYBODY), version=2, requires=(Requirement(TRIPPED),)))
    unmet = off(version=2, by="prerequisite", prerequisite=TRIPPED, prerequisite_reason="CIRCUIT_OPEN")
    await connected(web, sidecar)
    await until_seen(lambda: web.details(EVERYBODY, True), unmet)
    await web.events(CHANGED)

    await bench.put_circuit(Circuit())
    await until_seen(lambda: web.details(EVERYBODY, False), on(version=2))

    assert await web.details(TRIPPED, False) == on(circuit="closed")
    assert await web.events(CHANGED) == [[TRIPPED, EVERYBODY]]


async def test_a_web_client_that_polls_gets_304_until_something_changes(bench: Bench, sidecar: OfrepSidecar) -> None:
    async with client_of("web", changeDetection="polling", pollInterval=50) as client:
        web = cast(WebClient, client)
        await connected(web, sidecar)
        statuses: list[int] = []

        async def polled() -> int:
            statuses.extend(request["status"] for request in await web.requests())
            return min(4, len(statuses))

        await until_seen(polled, 4)
        assert (statuses[0], set(statuses[1:])) == (200, {304})
        assert await web.events(CHANGED) == []

        await put(bench, replace(ruleset(bench, EVERYBODY), version=2, active=False))
        await until_seen(lambda: web.details(EVERYBODY, True), off(version=2))
        assert await web.events(CHANGED) == [[EVERYBODY]]
        assert {request["url"] for request in await web.requests()} == {f"{sidecar.url}/ofrep/v1/evaluate/flags"}


async def test_another_context_is_another_answer(web: WebClient, bench: Bench, sidecar: OfrepSidecar) -> None:
    """Also with the same targeting key, when the web client sends the ETag of the answer for the old context."""
    germans = Rule((Condition("country", Operator.IN, ("DE",)),), 0.0)
    await put(bench, replace(ruleset(bench, EVERYBODY), version=2, rules=(germans,)))
    await connected(web, sidecar)
    await until_seen(lambda: web.details(EVERYBODY, False), on(version=2))

    assert await web.details(HALF, True, targetingKey=DENIED) == off("TARGETING_MATCH")
    assert await web.details(HALF, False, targetingKey=ALLOWED) == on("TARGETING_MATCH")
    assert await web.details(EVERYBODY, True, targetingKey=ALLOWED, country="DE") == off("TARGETING_MATCH", 2, rule="1")
    assert await web.details(EVERYBODY, False, targetingKey=ALLOWED, country="FR") == on(version=2)
    assert await web.details(HALF, True, country="FR") == failed(True, "TARGETING_KEY_MISSING")


async def test_the_web_client_keeps_its_answers_while_the_sidecar_is_away_and_hears_what_it_missed(
    bench: Bench, sidecar: OfrepSidecar
) -> None:
    async with client_of("web", cacheMode="local-cache-first") as client:
        web = cast(WebClient, client)
        await connected(web, sidecar)
        assert await web.details(EVERYBODY, False) == on()

        await sidecar.sidecar.end()
        assert await web.details(EVERYBODY, False) == on()
        await put(bench, replace(ruleset(bench, EVERYBODY), version=2, active=False))
        restarted = await sidecar.restart()
        await until_seen(lambda: web.details(EVERYBODY, True), off(version=2))

        # A page that is loaded again while the sidecar is away starts from what the last one has stored.
        await restarted.sidecar.end()
        await connected(web, sidecar)
        assert await web.details(EVERYBODY, True) == off("CACHED", 2)
        await put(bench, ruleset(bench, EVERYBODY))
        await sidecar.restart()
        await until_seen(lambda: web.details(EVERYBODY, False), on())


async def test_a_sidecar_that_knows_nothing_yet_takes_nothing_away(
    web: WebClient, bench: Bench, sidecar: OfrepSidecar
) -> None:
    await connected(web, sidecar)
    await sidecar.sidecar.end()
    lost = Bench(bench.folder, f"nats://127.0.0.1:{any_free_port()}", bench.redis_url, bench.app, bench.sidecars)

    empty = await serve(lost, sidecar.port, ready=False)

    await until_seen(lambda: _asked_in_vain(web), True)
    assert await web.details(EVERYBODY, False) == on()
    await empty.sidecar.end()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_of_a_sidecar_that_knows_nothing_yet_gets_its_defaults(kind: str, servers: Endpoints) -> None:
    async with (
        bench_on(f"nats://127.0.0.1:{any_free_port()}", servers.redis_url) as lost,
        client_of(kind) as client,
    ):
        sidecar = await serve(lost, any_free_port(), ready=False)
        await connected(client, sidecar)

        # The web client has no answers, not even that there are none, and tells the application when it is set up.
        error = "FLAG_NOT_FOUND" if isinstance(client, WebClient) else "GENERAL"
        for default in (True, False, "text", 3, 0.5, {"a": 1}):
            assert await client.details(EVERYBODY, default, targetingKey=ALLOWED) == failed(default, error)
        if isinstance(client, WebClient):
            assert client.refusal == "GeneralError: Failed OFREP bulk evaluation request, status: 500"


async def test_a_web_client_that_was_too_early_asks_again_when_its_context_changes(
    web: WebClient, bench: Bench
) -> None:
    port = any_free_port()
    lost = Bench(bench.folder, f"nats://127.0.0.1:{any_free_port()}", bench.redis_url, bench.app, bench.sidecars)
    early = await serve(lost, port, ready=False)
    await connected(web, early)
    await early.sidecar.end()
    await put_flags(bench)
    await serve(bench, port)

    assert await web.details(EVERYBODY, False) == failed(False, "FLAG_NOT_FOUND")
    assert await web.details(EVERYBODY, False, targetingKey=DENIED) == on()


async def _asked_in_vain(web: WebClient) -> bool:
    return any(request["status"] == 500 for request in await web.requests())


async def test_what_is_toggled_in_tower_is_seen_by_every_client(tmp_path: Path) -> None:
    with real_servers() as servers:
        endpoints = servers.endpoints
        async with (
            tower_bench(servers, tmp_path) as towers,
            towers.tower() as tower,
            bench_on(endpoints.nats_url, endpoints.redis_url) as bench,
            client_of("python") as python,
            client_of("server") as server,
            client_of("web") as web,
        ):
            await tower.ok("POST", "/apps", {"key": bench.app})
            flags = f"/apps/{bench.app}/flags"
            await tower.ok("POST", flags, {"key": EVERYBODY, "active": True, "rollout": 100})
            await tower.until_published()
            sidecar = await serve(bench, any_free_port())
            clients: list[Client] = [python, server, web]
            for client in clients:
                await connected(client, sidecar)

            async def values() -> list[object]:
                given = [client.details(EVERYBODY, False, targetingKey=ALLOWED) for client in (python, server)]
                return [details.value for details in await asyncio.gather(*given, web.details(EVERYBODY, False))]

            await until_seen(values, [True, True, True])
            for active in (False, True):
                await tower.ok("PATCH", f"{flags}/{EVERYBODY}", {"active": active})
                await until_seen(values, [active, active, active])
