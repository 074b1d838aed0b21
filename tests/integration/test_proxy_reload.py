"""The route file changes while the sidecar runs: all of it is taken or nothing, and no call notices."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from proxy_load import Kind, Load, ask, connection, get, read_answer, until_at_rest
from sidecar_bench import Bench, Sidecar, answer, bench_on, raw_upstream, upstream

from tailslide_embedded.stack import Endpoints

OLD = {"status": 203, "body": "old"}


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        await running.put(running.ruleset())
        yield running


def fixed(text: str) -> dict[str, object]:
    return {"answer": {"status": 200, "body": text}}


class File:
    """The file of a running sidecar."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self.path = Path(str(sidecar.log_file).removesuffix(".log") + ".yaml")
        self._content: dict[str, Any] = yaml.safe_load(self.path.read_text())

    def write(self, *routes: Mapping[str, object], **config: object) -> None:
        """Put another file into its place, whole."""
        self.write_text(yaml.safe_dump({**self._content, **config, "routes": [dict(route) for route in routes]}))

    def write_text(self, text: str) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.rename(self.path)

    def signal(self) -> None:
        self._sidecar.process.send_signal(signal.SIGHUP)

    async def status(self, field: str) -> Any:
        return (await self._sidecar.get("/v1/status"))[1][field]

    async def reload(self, *routes: Mapping[str, object], **config: object) -> None:
        """Write it, send the signal, and return when it has been taken."""
        before = await self.status("routes_loaded_at_ms")
        self.write(*routes, **config)
        self.signal()

        async def taken() -> bool:
            return bool(await self.status("routes_loaded_at_ms") != before)

        await self._sidecar.until(taken)
        assert await self.status("routes_problem") is None

    async def until_refused(self, problem: str) -> None:
        async def refused() -> bool:
            return problem in (await self.status("routes_problem") or "")

        await self._sidecar.until(refused)


async def body(sidecar: Sidecar, path: str = "/") -> str:
    got = await ask(sidecar, get(path))
    return f"{got.status} {got.body.decode()}"


async def test_a_signal_has_the_file_read_again(bench: Bench) -> None:
    sidecar = await bench.start(fixed("first"))
    file = File(sidecar)
    assert await body(sidecar) == "200 first"
    async with connection(sidecar) as (reader, writer):
        writer.write(get("/"))
        assert (await read_answer(reader)).body == b"first"
        await file.reload({"match": {"path": "/new"}, **fixed("second")})
        # Connections stay; what comes on them goes the new ways.
        writer.write(get("/new") + get("/"))
        assert (await read_answer(reader)).body == b"second"
        assert (await read_answer(reader)).status == 404
    routes = await file.status("routes")
    assert [route["match"] for route in routes] == ["* =/new"]


async def test_a_changed_file_is_noticed_without_a_signal(bench: Bench) -> None:
    sidecar = await bench.start(fixed("first"))
    file = File(sidecar)
    file.write(fixed("second"))

    async def taken() -> bool:
        return await body(sidecar) == "200 second"

    await sidecar.until(taken)
    # A file that is written in place, part by part, is read once it stands still.
    text = file.path.read_text()
    with file.path.open("w") as half:
        half.write(text[: len(text) // 2])
        half.flush()
        await asyncio.sleep(0.3)  # whoever writes it takes a while
        half.write(text[len(text) // 2 :].replace("second", "third"))

    async def taken_again() -> bool:
        return await body(sidecar) == "200 third"

    await sidecar.until(taken_again)
    assert "refused" not in sidecar.log()


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda text: text.replace("path: /b", "path: b"), "routes[1].match.path: expected a path like /checkout"),
        (lambda text: text.replace("upstream:", "upstreams:"), "routes[0]"),
        (lambda text: text + "\nlimits: {drain_ms: -1}\n", "limits.drain_ms"),
        (lambda text: text[:-20] + "\n]", "sidecar0.yaml"),
        (lambda text: "", "TAILSLIDE_APP"),
        (lambda text: None, "sidecar0.yaml"),
    ],
    ids=["a path", "a field", "a limit", "no YAML", "empty", "gone"],
)
async def test_a_file_with_a_mistake_is_not_taken_at_all(bench: Bench, spoil: Any, problem: str) -> None:
    routes: list[dict[str, object]] = [
        {"match": {"path": "/a"}, "upstream": "http://127.0.0.1:9"},
        {"match": {"path": "/b"}, **fixed("first")},
    ]
    sidecar = await bench.start(*routes, answer_header=True)
    file = File(sidecar)
    good = file.path.read_text()
    bad = spoil(good.replace("first", "second"))
    file.path.unlink() if bad is None else file.write_text(bad)
    file.signal()
    await file.until_refused(problem)
    # The routes before the mistake are not taken either.
    assert await body(sidecar, "/b") == "200 first"
    assert len(await file.status("routes")) == 2
    assert sidecar.log().count("configuration_refused") == 1

    file.write_text(good.replace("first", "second"))

    async def repaired() -> bool:
        return await body(sidecar, "/b") == "200 second"

    await sidecar.until(repaired)
    assert await file.status("routes_problem") is None


async def test_calls_under_way_end_as_they_began(bench: Bench) -> None:
    arrived, release = asyncio.Semaphore(0), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"upgrade" in request.lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            while data := await reader.read(100):
                writer.write(data)
                await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf" if b"/half" in request else b"")
        arrived.release()
        await release.wait()
        writer.write(b"half" if b"/half" in request else b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")
        await writer.drain()

    async with raw_upstream(talk) as feature:
        sidecar = await bench.start(bench.route(feature, OLD, timeout_ms=20_000))
        file = File(sidecar)
        async with connection(sidecar) as tunnel:
            tunnel[1].write(get("/", Connection="Upgrade", Upgrade="echo"))
            assert (await read_answer(tunnel[0])).status == 101
            calls = [asyncio.create_task(body(sidecar, path)) for path in ("/", "/half")]
            for _ in calls:
                await arrived.acquire()
            await file.reload(fixed("new"), answer_header=False)
            assert await body(sidecar) == "200 new"
            tunnel[1].write(b"still here")
            assert await tunnel[0].readexactly(10) == b"still here"
            release.set()
            assert await asyncio.gather(*calls) == ["200 whole", "200 halfhalf"]
        await bench.until_counted(success=3, failure=0)
        await until_at_rest(sidecar)


async def test_under_load_no_call_notices(bench: Bench) -> None:
    async with upstream(answer("a")) as a, upstream(answer("b")) as b:
        sidecar = await bench.start(bench.route(a, OLD))
        file = File(sidecar)
        load = Load(sidecar, [Kind("get", get("/"))], connections=8)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            for number in range(10):
                await load.until("200", 100)
                await file.reload(bench.route(b if number % 2 == 0 else a, OLD))
            await load.until("200", 100)
            load.stopped = True
        assert set(load.ended) == {("get", "200")}
        await bench.until_counted(success=load.total("200"), failure=0)
        # What went to either counts for the one route that there is.
        assert len(await file.status("routes")) == 1
        await until_at_rest(sidecar)


async def test_what_needs_a_restart_is_named_and_the_rest_taken(bench: Bench) -> None:
    sidecar = await bench.start(fixed("first"), limits={"max_target_bytes": 300})
    file = File(sidecar)
    long = "/" + "x" * 400
    await file.reload(fixed("second"), limits={"max_target_bytes": 1_000}, proxy_listen="127.0.0.1:1")
    assert await body(sidecar) == "200 second"
    assert (await ask(sidecar, get(long))).status == 414
    assert '"fields": ["proxy_listen", "limits.max_target_bytes"]' in sidecar.log()


async def test_forward_allow_the_answer_header_and_flags_change_with_it(bench: Bench) -> None:
    async with upstream(answer("there")) as server:
        port = server.rpartition(":")[2]
        sidecar = await bench.start(bench.route(server, OLD))
        file = File(sidecar)
        absolute = get("/").replace(b" / ", f" http://localhost:{port}/ ".encode())
        assert (await ask(sidecar, absolute)).status == 403
        assert (await ask(sidecar, get("/"))).header("x-tailslide") is not None

        await file.reload(bench.route(server, OLD), forward_allow=[f"localhost:{port}"], answer_header=False)
        assert (await ask(sidecar, absolute)).status == 200
        assert (await ask(sidecar, get("/"))).header("x-tailslide") is None

        await file.reload(bench.route(server, OLD, flag="unknown"))
        assert (await ask(sidecar, absolute)).status == 403
        got = await ask(sidecar, get("/"))
        assert got.status == 203
        assert await file.status("unknown_flags") == ["unknown"]
        await bench.until_counted(success=2, failure=0)
