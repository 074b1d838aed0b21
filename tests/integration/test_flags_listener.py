"""The flags listener of a real sidecar: who is let in, what is told, what is taken, where it listens, how it ends."""

import asyncio
import os
import signal
import socket
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest
from sidecar_bench import FLAG, Bench, OwnServers, Sidecar, bench_on, bench_with_servers

from tailslide_core.circuit import Circuit, State
from tailslide_core.ruleset import CircuitSettings
from tailslide_embedded.stack import Endpoints

OPEN = Circuit(State.OPEN, 0.0, trips=1, generation=1)
ALL = "/ofrep/v1/evaluate/flags"
ONE = f"{ALL}/{FLAG}"
NATIVE = f"/v1/flags/{FLAG}"
OUTCOMES = f"{NATIVE}/outcomes"
TOKEN = "open-sesame-123456"
WAIT_S = 20.0


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.fixture
async def own() -> AsyncIterator[tuple[Bench, OwnServers]]:
    async with bench_with_servers() as running:
        yield running


async def ask(
    sidecar: Sidecar, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, object]]:
    async with sidecar.flags() as session, session.request(method, path, json=body, headers=headers) as answer:
        return answer.status, orjson.loads(await answer.read() or b"{}") if "json" in answer.content_type else {}


async def start_at(bench: Bench, socket_path: Path, **config: object) -> Sidecar:
    """Start a sidecar whose flags listener is told where to listen, and wait until it is ready."""
    sidecar = await bench.start(ready=True, flags_listen=f"unix:{socket_path}", **config)
    sidecar.socket = socket_path

    async def ready() -> bool:
        try:
            return (await sidecar.get("/readyz"))[0] == 200
        except aiohttp.ClientConnectionError:
            return False

    await sidecar.until(ready)
    return sidecar


# Who is let in


async def test_only_who_knows_the_token_is_let_in(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await start_at(bench, bench.folder / "guarded.sock", flags_token=TOKEN)
    context = {"context": {"targetingKey": "u1"}}
    requests = [("POST", ONE, context), ("POST", ALL, context), ("GET", NATIVE, None), ("GET", "/v1/status", None)]
    for method, path, body in requests:
        for headers in ({"Authorization": f"Bearer {TOKEN}"}, {"X-API-Key": TOKEN}):
            assert (await ask(sidecar, method, path, body, headers))[0] == 200, path
        for headers in ({}, {"Authorization": "Bearer no"}, {"X-API-Key": "no"}, {"X-API-Key": f"{TOKEN} {TOKEN}"}):
            status, said = await ask(sidecar, method, path, body, headers)
            assert status == 401, path
            if path.startswith("/ofrep/"):
                assert {"errorCode", "errorDetails"} <= said.keys()
                assert said.get("key") == (FLAG if path == ONE else None)
            else:
                assert said["error"]["code"] == "UNAUTHORIZED"  # type: ignore[index] # the error shape
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await ask(sidecar, "GET", path))[0] == 200
    assert TOKEN not in sidecar.log()


async def test_the_stream_opens_with_what_the_bulk_answer_says(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await start_at(bench, bench.folder / "guarded.sock", flags_token=TOKEN)
    _, everything = await ask(sidecar, "POST", ALL, {}, {"X-API-Key": TOKEN})
    uri = everything["eventStreams"][0]["endpoint"]["requestUri"]  # type: ignore[index] # the protocol's shape
    assert TOKEN not in uri
    async with listening(sidecar, uri):
        pass
    assert (await ask(sidecar, "GET", uri.partition("?")[0]))[0] == 401
    assert (await ask(sidecar, "GET", uri + "x"))[0] == 401


# What is told


class Notices:
    """A stream, and the messages that have come so far; comments are kept apart."""

    def __init__(self) -> None:
        self.messages: list[dict[str, object]] = []
        self.comments = 0
        self.ended = False

    async def until(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.messages) < count:
                assert not self.ended
                await asyncio.sleep(0.01)

    async def read(self, answer: aiohttp.ClientResponse) -> None:
        async for line in answer.content:
            self.comments += line.startswith(b":")
            if line.startswith(b"data: "):
                self.messages.append(orjson.loads(line.removeprefix(b"data: ")))
        self.ended = True


@asynccontextmanager
async def listening(sidecar: Sidecar, uri: str = "/ofrep/v1/events") -> AsyncIterator[Notices]:
    notices = Notices()
    async with sidecar.flags() as session, session.get(uri) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(notices.read(answer))
            yield notices
            reading.cancel()


async def test_streams_alone_do_not_fill_the_listener(bench: Bench) -> None:
    sidecar = await bench.start(flags_limits={"max_connections": 4})
    async with listening(sidecar), listening(sidecar):
        status, body = await sidecar.get("/ofrep/v1/events")
        assert (status, body["errorDetails"]) == (503, "2 clients listen already; poll instead")
        assert (await sidecar.get("/healthz"))[0] == 200


async def settled(notices: Notices) -> int:
    """Return how many messages there are once no more are under way: that nothing comes shows in time only."""
    count = -1
    while count != len(notices.messages):
        count = len(notices.messages)
        await asyncio.sleep(0.2)
    return count


async def test_changes_of_rulesets_and_circuits_are_told(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    async with listening(sidecar) as notices:
        before = await settled(notices)
        await bench.put(bench.ruleset(active=False))
        await notices.until(before + 1)
        assert (await sidecar.get(f"{NATIVE}?targeting_key=u1"))[1]["active"] is False
        await bench.put_circuit(OPEN)
        await notices.until(before + 2)
        assert (await sidecar.get(f"{NATIVE}?targeting_key=u1"))[1]["circuit"] == "open"
        assert {message["type"] for message in notices.messages} == {"refetchEvaluation"}
        assert await sidecar.metric("tailslide_sidecar_event_listeners") == 1


async def test_many_changes_are_few_notices_and_the_last_is_told(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    async with listening(sidecar) as notices:
        before = await settled(notices)
        for rollout in range(40):
            await bench.put(bench.ruleset(rollout=float(rollout)))
        await bench.put(bench.ruleset(active=False))
        await sidecar.until_answers(active=False)
        told = await settled(notices) - before
        assert 1 <= told < 41


async def test_streams_end_with_the_sidecar_and_who_is_gone_is_forgotten(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    async with listening(sidecar):
        await sidecar.until_metric("tailslide_sidecar_event_listeners", 1)
    await bench.put(bench.ruleset(active=False))
    await sidecar.until_metric("tailslide_sidecar_event_listeners", 0)
    async with listening(sidecar) as notices:
        began_s = time.monotonic()
        assert await sidecar.end() == 0
        assert time.monotonic() - began_s < 5
        async with asyncio.timeout(WAIT_S):
            while not notices.ended:
                await asyncio.sleep(0.01)


async def test_only_so_many_listen(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    async with sidecar.flags() as session:
        session.connector._limit = 0  # type: ignore[union-attr] # more than a client usually opens
        answers = [await session.get("/ofrep/v1/events") for _ in range(256)]
        try:
            assert {answer.status for answer in answers} == {200}
            status, said = await ask(sidecar, "GET", "/ofrep/v1/events")
            assert status == 503
            assert "256" in str(said)
            assert (await sidecar.get(f"{NATIVE}?targeting_key=u"))[0] == 200
        finally:
            for answer in answers:
                answer.close()


# What is taken


async def test_outcomes_arrive_in_the_time_series(bench: Bench) -> None:
    await bench.put(bench.ruleset(circuit=CircuitSettings(slow_call_ms=100, slow_threshold=50.0)))
    sidecar = await bench.start()
    one = {"outcome": "success", "latency_ms": 12.5}
    assert await ask(sidecar, "POST", OUTCOMES, one) == (202, {"accepted": 1})
    many = [{"outcome": "failure", "latency_ms": 150, "count": 3}, {"outcome": "success", "count": 4}]
    assert await ask(sidecar, "POST", OUTCOMES, many) == (202, {"accepted": 7})
    assert await ask(sidecar, "POST", OUTCOMES, [{"outcome": "failure"}] * 1000) == (202, {"accepted": 1000})
    await bench.until_counted(success=5, failure=1003, slow=3, latency_le_20=1, latency_le_200=3)


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        (OUTCOMES, {"outcome": "fine"}, 400, "outcome"),
        (OUTCOMES, [{"outcome": "success"}, {"outcome": "success", "count": 0}], 400, "[1].count"),
        (OUTCOMES, {"outcome": "success", "latency_ms": -1}, 400, "latency_ms"),
        (OUTCOMES, {"outcome": "success", "latency": 1}, 400, "latency"),
        (OUTCOMES, [{"outcome": "success"}] * 1001, 400, "body"),
        (OUTCOMES, [], 400, "body"),
        ("/v1/flags/nothing/outcomes", {"outcome": "success"}, 404, "key"),
    ],
)
async def test_wrong_outcomes_are_named_and_none_is_counted(
    bench: Bench, path: str, body: object, status: int, field: str
) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    found, said = await ask(sidecar, "POST", path, body)
    assert (found, said["error"]["field"]) == (status, field)  # type: ignore[index] # the error shape
    await ask(sidecar, "POST", OUTCOMES, {"outcome": "failure"})
    await bench.until_counted(success=0, failure=1)


async def test_while_the_circuit_is_open_outcomes_say_nothing(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    await bench.put_circuit(OPEN)
    sidecar = await bench.start()
    await sidecar.until_answers(circuit="open")
    assert await ask(sidecar, "POST", OUTCOMES, {"outcome": "failure", "count": 9}) == (202, {"accepted": 9})
    await bench.put_circuit(Circuit(State.RECOVERING, 50.0, trips=1, generation=2))
    await sidecar.until_answers(circuit="recovering")
    await ask(sidecar, "POST", OUTCOMES, {"outcome": "failure"})
    await bench.until_counted(failure=1)
    assert await sidecar.metric("tailslide_sidecar_outcomes_stale_total") >= 1


# Where it listens


async def test_both_listeners_take_unix_sockets_with_their_mode_and_remove_them(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    proxy = bench.folder / "proxy.sock"
    sidecar = await bench.start(proxy_listen=f"unix:{proxy}", socket_mode="0660")
    for path in (sidecar.socket, proxy):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    connector = aiohttp.UnixConnector(str(proxy))
    async with aiohttp.ClientSession(connector=connector) as session, session.get("http://any/") as answer:
        assert answer.status in {421, 502}
    assert await sidecar.end() == 0
    assert not sidecar.socket.exists()
    assert not proxy.exists()


async def test_sockets_of_a_dead_process_are_replaced(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    proxy = bench.folder / "proxy.sock"
    first = await bench.start(proxy_listen=f"unix:{proxy}")
    await first.end(signal.SIGKILL)
    assert first.socket.exists()
    assert proxy.exists()
    second = await start_at(bench, first.socket, proxy_listen=f"unix:{proxy}")
    assert (await second.get(NATIVE))[0] == 200


@pytest.mark.parametrize("setting", ["flags_listen", "proxy_listen"])
async def test_the_socket_of_a_live_process_is_an_error_and_stays(bench: Bench, setting: str) -> None:
    path = bench.folder / "taken.sock"
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(path))
        taken.listen()
        config = {"flags_listen": "127.0.0.1:0", setting: f"unix:{path}"}
        sidecar = await bench.start(ready=False, **config)
        async with asyncio.timeout(WAIT_S):
            assert await sidecar.process.wait() == 1
        expected = f"Error: {setting}: unix:{path} is in use; free it or choose another address"
        assert sidecar.log().splitlines()[-1] == expected
        assert "Traceback" not in sidecar.log()
        assert path.exists()


@pytest.mark.parametrize("setting", ["flags_listen", "proxy_listen"])
async def test_a_file_in_the_way_is_an_error_and_stays(bench: Bench, setting: str) -> None:
    path = bench.folder / "file"
    path.write_text("mine")
    config = {"flags_listen": "127.0.0.1:0", setting: f"unix:{path}"}
    sidecar = await bench.start(ready=False, **config)
    async with asyncio.timeout(WAIT_S):
        assert await sidecar.process.wait() == 1
    assert sidecar.log().splitlines()[-1].startswith(f"Error: {setting}: unix:{path} ")
    assert path.read_text() == "mine"


# How old it is


async def metadata(sidecar: Sidecar) -> dict[str, object]:
    _, said = await ask(sidecar, "POST", ONE, {"context": {"targetingKey": "u1"}})
    found = said["metadata"]
    assert isinstance(found, dict)
    return found


def stale_is(sidecar: Sidecar, stale: bool) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return (await metadata(sidecar))["stale"] is stale

    return holds


async def etag(sidecar: Sidecar) -> str:
    async with sidecar.flags() as session, session.post(ALL, json={"context": {"targetingKey": "u1"}}) as answer:
        assert answer.status == 200
        return answer.headers["ETag"]


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "stopped"])
async def test_without_nats_answers_are_stale_and_fresh_again_with_it(
    own: tuple[Bench, OwnServers], killed: bool
) -> None:
    bench, servers = own
    await bench.put(bench.ruleset())
    sidecar = await bench.start(stale_after_ms=1_000)
    assert (await metadata(sidecar))["stale"] is False
    fresh = await etag(sidecar)
    pid = servers.nats.pid
    assert pid is not None
    if killed:
        await servers.kill(servers.nats)
    else:
        os.kill(pid, signal.SIGSTOP)
    try:
        await sidecar.until(stale_is(sidecar, True))
        assert await etag(sidecar) != fresh
        status, ready = await sidecar.get("/readyz")
        assert status == 200
        age_ms = ready["age_ms"]
        assert isinstance(age_ms, int)
        assert age_ms > 1_000
    finally:
        if killed:
            await servers.nats.start()
        else:
            os.kill(pid, signal.SIGCONT)
    await sidecar.until(stale_is(sidecar, False))
    assert await etag(sidecar) == fresh


# How it ends


async def test_at_the_end_what_had_begun_is_answered(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    requests = {
        "hot": b"GET " + NATIVE.encode() + b"?targeting_key=u1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "cold": b"POST " + OUTCOMES.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 21\r\n\r\n{"outcome":"failure"}',
    }
    streams = {name: await asyncio.open_unix_connection(sidecar.socket) for name in requests}
    idle, idle_writer = await asyncio.open_unix_connection(sidecar.socket)
    idle_writer.write(requests["hot"])
    await idle.readuntil(b"}")
    for name, (_, writer) in streams.items():
        writer.write(requests[name][:-1])
        await writer.drain()
    await sidecar.get("/healthz")  # what was sent before has been read by now

    sidecar.process.send_signal(signal.SIGTERM)
    assert await idle.read() == b""
    for name, (reader, writer) in streams.items():
        writer.write(requests[name][-1:])
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK" if name == "hot" else b"HTTP/1.1 202 Accepted"), name
        writer.close()
    idle_writer.close()
    began_s = time.monotonic()
    assert await sidecar.end() == 0
    assert time.monotonic() - began_s < 5
    assert await bench.total("failure") == 1


async def test_at_the_end_nobody_is_waited_for_for_ever(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    head = b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n"
    streams = [await asyncio.open_unix_connection(sidecar.socket) for _ in range(2)]
    for (_, writer), path in zip(streams, (ONE, OUTCOMES), strict=True):
        writer.write(b"POST " + path.encode() + head)
        await writer.drain()
    await sidecar.get("/healthz")  # what was sent before has been read by now
    began_s = time.monotonic()
    assert await sidecar.end() == 0
    assert time.monotonic() - began_s < 12
    for _, writer in streams:
        writer.close()
