"""What belongs to connections: requests behind each other, what a call leaves of them, and servers that speak TLS."""

import asyncio
import shutil
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import yaml
from proxy_load import (
    Answer,
    ask,
    calls_by_result,
    connection,
    get,
    metrics,
    post,
    post_chunks,
    read_answer,
    until_at_rest,
)
from sidecar_bench import Bench, Sidecar, bench_on, raw_upstream

from tailslide_embedded.stack import Endpoints

FIXED = {"match": {"path": "/fixed"}, "answer": {"status": 200, "body": "fixed"}}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
WISH = b"GET /fixed HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        await running.put(running.ruleset())
        yield running


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request without a body."""
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(OK)


def message(got: Answer) -> tuple[int, str]:
    """Return the status and the sentence of an answer of the proxy's own."""
    return got.status, got.body.decode().partition('"message":"')[2].partition('"')[0]


# Requests behind each other


async def test_a_request_behind_an_upgrade_that_waited_and_was_not_made_is_answered(bench: Bench) -> None:
    async with raw_upstream(answers) as server:
        sidecar = await bench.start(FIXED, {"upstream": server})
        async with connection(sidecar) as (reader, writer):
            writer.write(get("/") + WISH + get("/fixed"))
            assert [(await read_answer(reader)).body for _ in range(3)] == [b"ok", b"fixed", b"fixed"]
        await until_at_rest(sidecar)


async def test_a_large_body_that_nobody_wanted_leaves_the_connection_usable(bench: Bench) -> None:
    sidecar = await bench.start(FIXED)
    async with connection(sidecar) as (reader, writer):
        # Stopped for as long as it takes until all of the request is there to be read at once.
        sidecar.process.send_signal(signal.SIGSTOP)
        writer.write(post_chunks("/fixed", bytes(80_000)))
        await writer.drain()
        sidecar.process.send_signal(signal.SIGCONT)
        assert (await read_answer(reader)).body == b"fixed"
        writer.write(get("/fixed"))
        assert (await read_answer(reader)).body == b"fixed"


async def test_what_comes_behind_an_answer_that_is_broken_off_is_not_begun(bench: Bench) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            writer.write(bytes(100_000))
            await writer.drain()

    async with raw_upstream(endless) as server:
        sidecar = await bench.start({"upstream": server, "timeouts": {"total_ms": 400}})
        async with connection(sidecar) as (reader, writer):
            writer.write(get("/") + get("/second"))

            async def broken_off() -> bool:
                return await calls_by_result(sidecar, side="upstream") == {"client_gone": 1}

            await sidecar.until(broken_off)  # for taking nothing; what has been sent already is there to be taken
            assert len(await reader.read(-1)) < 100_000_000
        await until_at_rest(sidecar)
        assert await calls_by_result(sidecar, side="upstream") == {"client_gone": 1}


async def test_nonsense_that_comes_with_its_head_is_counted(bench: Bench) -> None:
    sidecar = await bench.start(FIXED)
    assert (await ask(sidecar, post_chunks("/fixed").replace(b"0\r\n\r\n", b"zz\r\n"))).status == 400
    assert (await metrics(sidecar))[
        'tailslide_sidecar_proxied_calls_total{result="refused",route="(none)",side="none"}'
    ] == 1


# Whose time it is


async def test_who_had_to_wait_for_leave_to_send_has_all_of_its_time_for_the_body(bench: Bench) -> None:
    async def slow_to_allow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(2.5)  # longer than the client has for its body
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(2)
        writer.write(OK)
        await reader.read()

    async with raw_upstream(slow_to_allow) as server:
        sidecar = await bench.start({"upstream": server}, limits={"body_timeout_ms": 1_500})
        async with connection(sidecar) as (reader, writer):
            head = post("/", b"hi").partition(b"\r\n\r\n")[0]
            writer.write(head + b"\r\nExpect: 100-continue\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await asyncio.sleep(1.1)  # a look at all connections comes within a second
            writer.write(b"hi")
            assert (await read_answer(reader)).status == 200


async def test_a_second_connection_that_is_not_made_is_not_the_clients_fault(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        sidecar = await bench.start({"upstream": url, "timeouts": {"connect_ms": 300}})
        async with connection(sidecar) as (reader, writer):
            writer.write(get("/"))
            first, _ = await loop.sock_accept(listening)
            with first:
                await loop.sock_recv(first, 1_000)
                await loop.sock_sendall(first, OK)
                assert (await read_answer(reader)).status == 200
                for _ in range(8):  # from here on nobody is accepted
                    waiting = stack.enter_context(socket.socket())
                    waiting.setblocking(False)
                    waiting.connect_ex(listening.getsockname())
                writer.write(post("/", b"half", method="PUT").replace(b"Length: 4", b"Length: 8"))
                await loop.sock_recv(first, 1_000)
            got = await read_answer(reader)
            assert message(got) == (504, f"{url} did not accept the connection in time")


# Who is asked, and who is believed


async def test_a_change_of_whom_to_believe_holds_for_connections_that_are_open(bench: Bench) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            heard.append(head.partition(b"X-Forwarded-For: ")[2].partition(b"\r\n")[0])
            writer.write(OK)

    async with raw_upstream(listen) as server:
        sidecar = await bench.start({"upstream": server})
        file = bench.folder / "sidecar0.yaml"
        async with connection(sidecar) as (reader, writer):
            says = get("/", X_Forwarded_For="9.9.9.9")
            writer.write(says)
            await read_answer(reader)
            file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "trusted_peers": ["192.0.2.0/24"]}))
            sidecar.process.send_signal(signal.SIGHUP)
            await sidecar.until_metric('tailslide_sidecar_config_reloads_total{result="loaded"}', 1)
            writer.write(says)
            await read_answer(reader)
    assert heard == [b"9.9.9.9, 127.0.0.1", b"127.0.0.1"]


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
async def test_a_host_that_can_be_no_name_is_refused_at_once(bench: Bench, host: str) -> None:
    sidecar = await bench.start(FIXED, forward_allow=["*.example"])
    status, text = message(await ask(sidecar, get("/").replace(b"GET /", f"GET http://{host}/".encode())))
    assert (status, text.startswith(f"http://{host}:80 cannot be connected to")) == (502, True)
    await until_at_rest(sidecar)


# Servers that speak TLS


@asynccontextmanager
async def secure_upstream(folder: Path, names: list[str | None]) -> AsyncIterator[tuple[int, Path]]:
    """Yield the port and the certificate of a server for localhost and 127.0.0.1; `names` gets those it is asked by."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    making = await asyncio.create_subprocess_exec(
        program,
        *("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", str(key), "-out", str(certificate)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await making.wait() == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the proxy has closed the connection
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], certificate
    finally:
        server.close()
        await server.wait_closed()


async def test_a_server_is_believed_by_its_certificate(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str | None] = []
    async with secure_upstream(bench.folder, names) as (port, certificate):
        routes = [
            {"match": {"path": f"/{host}"}, "upstream": f"https://{host}:{port}"} for host in ("localhost", "127.0.0.1")
        ]
        doubting = await bench.start(*routes)
        for host in ("localhost", "127.0.0.1"):
            expected = f"https://{host}:{port} cannot be connected to: self-signed certificate"
            assert message(await ask(doubting, get(f"/{host}"))) == (502, expected)
        await until_at_rest(doubting)

        names.clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        believing: Sidecar = await bench.start(*routes)
        for host in ("localhost", "127.0.0.1"):
            async with connection(believing) as (reader, writer):
                for _ in range(2):
                    writer.write(get(f"/{host}"))
                    assert (await read_answer(reader)).body == bytes(3_000_000)
        assert names == ["localhost", None]  # an address is no name to ask by, and connections are kept
        await until_at_rest(believing)
