"""The local guard in a real sidecar: a feature that cannot be connected to is let alone for a while."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from proxy_endings import silent_address
from proxy_load import Answer, ask, calls_by_result, get, post
from sidecar_bench import FLAG, Bench, Sidecar, answer, bench_on, raw_upstream, upstream

from tailslide_core.circuit import Circuit, State
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Ruleset
from tailslide_embedded.stack import Endpoints

OLD = {"status": 203, "body": "old"}
FAR_MS = 600_000
"""Longer than any test."""
OF_EVERY_LINE = {"flag", "level", "timestamp", "process"}
KEPT_AWAY = b"; guarded=true; answered_by=fallback"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


def guarded(bench: Bench, failures: int, max_ms: int, **fields: object) -> Ruleset:
    return bench.ruleset(circuit=CircuitSettings(local_guard=LocalGuard(failures, max_ms)), **fields)


class Feature:
    """A server that refuses connections until it is told to come, and counts those that are made."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._server: asyncio.Server | None = None
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connects = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def come(self) -> None:
        self._server = await asyncio.start_server(self._talk, sock=self._socket)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        self._writers.add(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sidecar has left
        finally:
            self._writers.discard(writer)
            writer.close()

    async def go(self) -> None:
        if self._server is None:
            self._socket.close()
            return
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()


@pytest.fixture
async def feature() -> AsyncIterator[Feature]:
    server = Feature()
    yield server
    await server.go()


async def guard_of(sidecar: Sidecar) -> dict[str, object] | None:
    _, status = await sidecar.get("/v1/status")
    flags = status["flags"]
    assert isinstance(flags, dict)
    guard = flags[FLAG]["local_guard"]
    assert guard is None or isinstance(guard, dict)
    return guard


async def metrics_of(sidecar: Sidecar) -> dict[str, float]:
    return {
        name: await sidecar.metric(f'tailslide_sidecar_local_guard_{name}{{flag="{FLAG}"}}')
        for name in ("active", "strikes_total", "kept_away_total")
    }


async def refusals(sidecar: Sidecar, url: str) -> float:
    return await sidecar.metric(f'tailslide_sidecar_upstream_refusals{{upstream="{url}"}}')


def is_kept_away(got: Answer) -> bool:
    return KEPT_AWAY in got.head


async def fail(sidecar: Sidecar, times: int, status: int = 502) -> None:
    """Make so many calls, each of which is to fail at the feature."""
    for _ in range(times):
        got = await ask(sidecar, get("/"))
        assert (got.status, is_kept_away(got)) == (status, False)


def lines(sidecar: Sidecar, level: str) -> list[dict[str, object]]:
    """Return what the log has told of the flag's guard at a level, without when."""
    found = sidecar.lines("local_guard_struck", "local_guard_let_go")
    of_the_flag = [line for line in found if line["flag"] == FLAG and line["level"] == level]
    return [{name: line[name] for name in line if name not in OF_EVERY_LINE} for line in of_the_flag]


def told(sidecar: Sidecar) -> tuple[int, int]:
    """Return how often the log has told of a beginning and of an end."""
    return len(lines(sidecar, "warning")), len(lines(sidecar, "info"))


async def until_told(sidecar: Sidecar, begun: int, ended: int) -> None:
    async def is_told() -> bool:
        return told(sidecar) == (begun, ended)

    await sidecar.until(is_told)


async def test_after_so_many_failures_nothing_is_tried(bench: Bench, feature: Feature) -> None:
    await bench.put(guarded(bench, 3, FAR_MS, rollout=0.0, allow=frozenset({"u1"})))
    sidecar = await bench.start(bench.route(feature.url, OLD))
    assert await metrics_of(sidecar) == {"active": 0, "strikes_total": 0, "kept_away_total": 0}

    await fail(sidecar, 3)
    assert await refusals(sidecar, feature.url) == 3
    await feature.come()
    for method in ("GET", "POST", "GET", "DELETE"):
        got = await ask(sidecar, post("/", method=method))
        assert (got.status, got.body) == (203, b"old")
        marker = f"flag={FLAG}; active=true; reason=targeting_match; circuit=closed; variant=on".encode()
        assert marker + b"; guarded=true; answered_by=fallback\r\n" in got.head
    assert feature.connects == 0

    # Who asks for the flag is told what the team wants, as ever.
    _, asked = await sidecar.get(f"/v1/flags/{FLAG}?targeting_key=u1")
    assert (asked["active"], asked["circuit"]) == (True, "closed")

    guard = await guard_of(sidecar)
    assert guard is not None
    since_ms, remaining_ms = guard.pop("since_ms"), guard.pop("remaining_ms")
    assert isinstance(since_ms, int)
    assert 0 < time.time() * 1000 - since_ms < FAR_MS
    assert isinstance(remaining_ms, int)
    assert 0 < remaining_ms < FAR_MS
    assert guard == {"active": True, "strikes": 1, "kept_away": 4}
    assert await metrics_of(sidecar) == {"active": 1, "strikes_total": 1, "kept_away_total": 4}
    assert await calls_by_result(sidecar, "fallback") == {"answered": 4}
    assert await calls_by_result(sidecar, "feature") == {"refused": 3}
    await bench.until_counted(failure=3, success=0)
    await until_told(sidecar, 1, 0)


@pytest.mark.parametrize("what", ["circuit", "reset", "rollout"])
async def test_whatever_arrives_of_the_flag_ends_it(bench: Bench, feature: Feature, what: str) -> None:
    ruleset = guarded(bench, 2, FAR_MS)
    await bench.put(ruleset)
    sidecar = await bench.start(bench.route(feature.url, OLD))
    await fail(sidecar, 2)
    assert is_kept_away(await ask(sidecar, get("/")))
    await feature.come()
    match what:
        case "circuit":
            await bench.put_circuit(Circuit(State.RECOVERING, 100.0, trips=1, generation=2))
        case "reset":
            assert ruleset.circuit is not None
            await bench.put(replace(ruleset, version=2, circuit=replace(ruleset.circuit, reset_generation=1)))
        case "rollout":
            await bench.put(replace(ruleset, version=2, allow=frozenset({"u2"})))
    # Without a call in between: the end is told and shown nevertheless.
    await until_told(sidecar, 1, 1)
    assert await metrics_of(sidecar) == {"active": 0, "strikes_total": 1, "kept_away_total": 1}
    got = await ask(sidecar, get("/"))
    assert (got.status, got.body, is_kept_away(got)) == (200, b"new", False)
    assert feature.connects == 1
    assert await guard_of(sidecar) == {
        "active": False,
        "since_ms": None,
        "remaining_ms": 0,
        "strikes": 1,
        "kept_away": 1,
    }


async def test_it_is_over_by_itself_and_counts_anew(bench: Bench, feature: Feature) -> None:
    await bench.put(guarded(bench, 2, 400))
    sidecar = await bench.start(bench.route(feature.url, OLD))
    for strikes in (1, 2):
        await fail(sidecar, 1)
        struck_at = time.monotonic()
        await fail(sidecar, 1)
        await until_told(sidecar, strikes, strikes)
        assert time.monotonic() - struck_at >= 0.4
    assert await refusals(sidecar, feature.url) == 4

    await fail(sidecar, 1)
    await feature.come()
    assert (await ask(sidecar, get("/"))).body == b"new"
    assert told(sidecar) == (2, 2)
    assert lines(sidecar, "warning")[0] == {
        "event": "local_guard_struck",
        "message": "calls go to the fallback for a while, since the feature cannot be connected to",
        "consecutive_failures": 2,
        "max_ms": 400,
    }
    assert lines(sidecar, "info")[0] == {
        "event": "local_guard_let_go",
        "message": "calls are no longer kept away from the feature",
        "because": "max_ms is over",
        "after_ms": 400,
        "kept_away": 0,
    }


async def test_without_the_setting_every_call_is_tried(bench: Bench, feature: Feature) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start(bench.route(feature.url, OLD))
    await fail(sidecar, 20)
    assert await refusals(sidecar, feature.url) == 20
    assert await guard_of(sidecar) is None
    async with sidecar.flags() as session, session.get("/metrics") as got:
        assert "local_guard_strikes_total{" not in await got.text()
    assert told(sidecar) == (0, 0)


async def test_an_answer_is_a_connection_whatever_it_says(bench: Bench) -> None:
    await bench.put(guarded(bench, 1, FAR_MS))
    async with upstream(answer("broken", 500)) as failing:
        sidecar = await bench.start(bench.route(failing, OLD))
        await fail(sidecar, 10, status=500)
    assert await metrics_of(sidecar) == {"active": 0, "strikes_total": 0, "kept_away_total": 0}
    await bench.until_counted(failure=10, success=0)


async def test_an_answer_that_does_not_come_in_time_is_none_of_the_connection(bench: Bench) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    await bench.put(guarded(bench, 1, FAR_MS))
    async with raw_upstream(hang) as hanging:
        sidecar = await bench.start(bench.route(hanging, OLD, timeouts={"first_byte_ms": 100}))
        await fail(sidecar, 3, status=504)
    assert (await metrics_of(sidecar))["strikes_total"] == 0


async def test_a_connection_that_is_not_made_in_time_counts(bench: Bench) -> None:
    await bench.put(guarded(bench, 2, FAR_MS))
    with silent_address() as silent:
        sidecar = await bench.start(bench.route(silent, OLD, timeouts={"connect_ms": 100}))
        await fail(sidecar, 2, status=504)
        assert is_kept_away(await ask(sidecar, get("/")))


async def test_connections_that_break_count_and_those_under_way_strike_once(bench: Bench) -> None:
    arrived, release = asyncio.Semaphore(0), asyncio.Event()

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.release()
        await release.wait()

    await bench.put(guarded(bench, 2, 300))
    async with raw_upstream(break_off) as breaking:
        sidecar = await bench.start(bench.route(breaking, OLD))
        calls = [asyncio.create_task(ask(sidecar, post("/"))) for _ in range(7)]
        for _ in calls:
            await arrived.acquire()
        release.set()
        assert {got.status for got in await asyncio.gather(*calls)} == {502}
        assert await calls_by_result(sidecar) == {"broken": 7}
        await until_told(sidecar, 1, 1)
        await fail(sidecar, 1)  # the first of those that count from zero
    assert (await metrics_of(sidecar))["strikes_total"] == 1
    await bench.until_counted(failure=8, success=0)


async def test_a_call_under_way_that_fails_later_says_nothing_to_the_next_guard(bench: Bench) -> None:
    arrived, release = asyncio.Semaphore(0), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"GET /late " in head:
            arrived.release()
            await release.wait()

    await bench.put(guarded(bench, 2, 200))
    async with raw_upstream(serve) as breaking:
        sidecar = await bench.start(bench.route(breaking, OLD))
        late = [asyncio.create_task(ask(sidecar, get("/late"))) for _ in range(3)]
        for _ in late:
            await arrived.acquire()
        await fail(sidecar, 2)
        await until_told(sidecar, 1, 1)
        await fail(sidecar, 1)
        release.set()
        assert {got.status for got in await asyncio.gather(*late)} == {502}
        assert (await metrics_of(sidecar))["strikes_total"] == 1
        await fail(sidecar, 1)
    assert (await metrics_of(sidecar))["strikes_total"] == 2


async def test_one_server_of_several_that_connects_is_enough(bench: Bench, feature: Feature) -> None:
    await bench.put(guarded(bench, 1, FAR_MS))
    async with upstream(answer("here")) as here:
        route = {**bench.route("", OLD), "feature": [feature.url, here]}
        sidecar = await bench.start(route)
        for _ in range(10):
            assert (await ask(sidecar, get("/"))).body == b"here"
        assert await refusals(sidecar, feature.url) >= 1
    # Now neither does, and it is one failure of the feature, not two.
    await bench.until_counted(success=10, failure=0)
    await fail(sidecar, 1)
    assert await metrics_of(sidecar) == {"active": 1, "strikes_total": 1, "kept_away_total": 0}


async def test_a_call_that_the_fallback_makes_up_for_counts(bench: Bench, feature: Feature) -> None:
    await bench.put(guarded(bench, 2, FAR_MS))
    sidecar = await bench.start(bench.route(feature.url, OLD, retry_on_fallback="idempotent"))
    for tried in (True, True, False):
        got = await ask(sidecar, get("/"))
        assert (got.status, got.body) == (203, b"old")
        assert got.head.count(b"answered_by=fallback") == 1
        assert is_kept_away(got) != tried
    assert await refusals(sidecar, feature.url) == 2


async def test_a_websocket_goes_to_the_fallback(bench: Bench, feature: Feature) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        talk = web.WebSocketResponse()
        await talk.prepare(request)
        async for message in talk:
            await talk.send_str(f"old {message.data}")
        return talk

    await bench.put(guarded(bench, 2, FAR_MS))
    async with upstream(echo) as old, aiohttp.ClientSession(headers={"X-User-Id": "u1"}) as client:
        sidecar = await bench.start(bench.route(feature.url, old))
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await client.ws_connect(sidecar.proxy)
        await feature.come()
        async with client.ws_connect(sidecar.proxy) as talk:
            await talk.send_str("hello")
            assert await talk.receive_str() == "old hello"
        async with client.get(sidecar.proxy) as got:  # no handshake, which this fallback refuses
            assert KEPT_AWAY.decode() in got.headers["x-tailslide"]
    assert feature.connects == 0
    assert await calls_by_result(sidecar, "fallback") == {"upgraded": 1, "answered": 1}
