"""NATS over TLS, with a real server: who is let in, who is refused, and certificates that are renewed meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from authorities import WRONG, Authority, Files, replace, wrong
from nats.aio.client import Client
from sidecar_bench import bench_on
from structlog.testing import capture_logs
from structlog.typing import EventDict
from tls_servers import NatsWithTls, front, nats_with_tls
from tower_bench import until

from tailslide_embedded.stack import Endpoints
from tailslide_runtime.jetstream import Link
from tailslide_runtime.server_urls import NatsUrl, RedisUrl
from tailslide_runtime.tls import TlsFiles

TIMEOUT_S = 20.0
pytestmark = pytest.mark.filterwarnings("ignore:parameter 'timeout' of type:DeprecationWarning")  # of nats-py


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def server(tmp_path: Path, authority: Authority) -> AsyncIterator[NatsWithTls]:
    async with nats_with_tls(tmp_path, authority, authority.issue()) as running:
        yield running


def files(folder: Path, authority: Authority, *, own: bool = True) -> TlsFiles:
    ca, mine = authority.write(folder / "ca.pem"), authority.issue(["client"]).write(folder, "client")
    return TlsFiles.read(ca, mine.certificate if own else None, mine.key if own else None, str)


async def connected(url: NatsUrl) -> None:
    """Return when a link has had a connection."""

    async def serve(client: Client) -> None:
        await client.flush()

    async with asyncio.timeout(TIMEOUT_S):
        await Link(url, "test").run(serve)


class CountingLink(Link):
    attempts = 0

    async def _connect(self) -> tuple[Client, asyncio.Event]:
        self.attempts += 1
        return await super()._connect()


async def refused(url: NatsUrl) -> EventDict:
    """Return what a link tells of a server that it cannot use, having tried more than once."""
    link = CountingLink(url, "test")
    with capture_logs() as logs:
        running = asyncio.create_task(link.run(lambda client: asyncio.sleep(0)))

        async def tried_again() -> bool:
            assert not running.done()
            return link.attempts >= 3

        await until(tried_again)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    told = [log for log in logs if log["log_level"] != "debug"]
    assert len(told) == 1
    assert link.status.connects == 0
    return told[0]


async def test_link_gets_in_over_tls_and_over_a_websocket(
    server: NatsWithTls, tmp_path: Path, authority: Authority
) -> None:
    for url in (server.url, server.web_url):
        await connected(NatsUrl.parse(url).with_files(files(tmp_path, authority)))


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("scheme", ["tls", "wss"])
async def test_wrong_certificate_is_refused(tmp_path: Path, authority: Authority, kind: str, scheme: str) -> None:
    server = NatsWithTls(tmp_path, authority, wrong(kind, authority), verify=False)
    server.context.check_hostname = False
    server.context.verify_mode = 0  # type: ignore[assignment] # the test itself takes whatever comes
    await server.child.start()
    try:
        url = server.url if scheme == "tls" else server.web_url
        told = await refused(NatsUrl.parse(url).with_files(files(tmp_path, authority, own=False)))
    finally:
        await server.child.stop()
    assert told["event"] == "nats_tls_failed"
    assert WRONG[kind] in told["error"]
    assert told["log_level"] == "error"


async def test_client_without_a_certificate_is_refused(
    server: NatsWithTls, tmp_path: Path, authority: Authority
) -> None:
    told = await refused(NatsUrl.parse(server.url).with_files(files(tmp_path, authority, own=False)))
    assert told["event"] == "nats_tls_failed"
    assert told["error"] == "the server asks its clients for a certificate, and none is set"


async def test_plain_server_is_refused_and_told_nothing(tmp_path: Path, authority: Authority) -> None:
    heard = b""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        writer.write(
            b"INFO " + json.dumps({"server_id": "x", "version": "2.12.0", "max_payload": 1}).encode() + b"\r\n"
        )
        heard += await reader.read(1_000)
        writer.close()

    plain = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = plain.sockets[0].getsockname()[1]
    url = NatsUrl.parse(f"tls://user:geheim@127.0.0.1:{port}").with_files(files(tmp_path, authority))
    told = await refused(url)
    plain.close()
    assert (told["event"], told["error"]) == ("nats_tls_failed", "the server offers no TLS, which the URL demands")
    assert heard == b""


async def test_real_server_without_tls_is_refused(servers: Endpoints) -> None:
    plain = NatsUrl.parse(servers.nats_url).with_secrets()
    told = await refused(NatsUrl.parse(plain.replace("nats://", "tls://")))
    assert told["error"] == "the server offers no TLS, which the URL demands"


async def test_server_that_leaves_it_to_clients_is_used_over_tls(tmp_path: Path, authority: Authority) -> None:
    server = NatsWithTls(tmp_path, authority, authority.issue(), verify=False)
    config = tmp_path / "nats.conf"
    config.write_text(f"{config.read_text()}\nallow_non_tls: true\n")
    await server.child.start()
    seen: list[bool] = []

    async def serve(client: Client) -> None:
        transport: Any = client._transport  # which alone knows whether it is encrypted
        seen.append(transport._io_writer.transport.get_extra_info("ssl_object") is not None)

    try:
        url = NatsUrl.parse(server.url).with_files(files(tmp_path, authority, own=False))
        await Link(url, "test").run(serve)
    finally:
        await server.child.stop()
    assert seen == [True]


async def test_server_that_comes_back_with_a_wrong_certificate_is_told_of(
    server: NatsWithTls, tmp_path: Path, authority: Authority
) -> None:
    link = Link(NatsUrl.parse(server.url).with_files(files(tmp_path, authority)), "test")
    await server.child.stop()
    with capture_logs() as logs:
        running = asyncio.create_task(link.run(lambda client: asyncio.sleep(0)))

        def told(event: str) -> bool:
            return event in {log["event"] for log in logs}

        async def away() -> bool:
            return told("nats_unreachable")

        async def failed() -> bool:
            return told("nats_tls_failed")

        await until(away)
        Authority("Another").issue().write(server.folder, "server")
        server.context.check_hostname = False
        server.context.verify_mode = 0  # type: ignore[assignment] # the test itself takes whatever comes
        await server.child.start()
        await until(failed)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert link.status.connects == 0


def write_all(folder: Path, authority: Authority) -> Files:
    """Write what a sidecar has for TLS in the places of what is there."""
    authority.write(folder / "sidecar-ca.pem")
    return authority.issue(["sidecar"]).write(folder, "sidecar")


async def test_sidecar_goes_on_when_everything_is_renewed(
    server: NatsWithTls, tmp_path: Path, authority: Authority, servers: Endpoints
) -> None:
    """Another authority, another certificate for each side: no restart of the sidecar, and no answer lost."""
    own = write_all(tmp_path, authority)
    place = str(RedisUrl.parse(servers.redis_url)).partition("://")[2].partition("/")[0]
    host, port = place.rsplit(":", 1)
    front_files = authority.issue().write(tmp_path, "front")
    async with (
        front(host, int(port), front_files) as redis,
        bench_on(server.url, servers.redis_url) as bench,
    ):
        redis.use(front_files, tmp_path / "sidecar-ca.pem")
        bench.nats_options = {"tls": server.context}
        secure = RedisUrl.parse(servers.redis_url).with_secrets().replace("redis://", "rediss://")
        bench.environment = {"TAILSLIDE_REDIS_URL": secure.replace(place, f"localhost:{redis.port}")}
        bench.environment |= {
            f"TAILSLIDE_{server_name}_{name}_FILE": str(path)
            for server_name in ("NATS", "REDIS")
            for name, path in (("CA", tmp_path / "sidecar-ca.pem"), ("CERT", own.certificate), ("KEY", own.key))
        }
        await bench.put(bench.ruleset(active=False))
        sidecar = await bench.start()
        await sidecar.until_answers(value=False)
        lost: list[object] = []
        asked = 0

        async def ask() -> None:
            nonlocal asked
            while True:
                status, body = await sidecar.get("/v1/flags/appointments?targeting_key=u1")
                asked += 1
                if status != 200:
                    lost.append(body)

        asking = asyncio.create_task(ask())
        new = Authority("New Authority")
        await server.child.stop()
        server.renew(new, new.issue())
        own = write_all(tmp_path, new)
        redis.use(new.issue().write(tmp_path, "front"), tmp_path / "sidecar-ca.pem")
        await redis.drop_connections()
        before = redis.accepted
        await server.child.start()
        bench.nats_options = {"tls": server.context}
        await bench.put(bench.ruleset(active=True))
        await sidecar.until_answers(value=True)

        async def counts() -> bool:
            return redis.accepted > before and bool((await sidecar.get("/v1/status"))[1]["redis"]["connected"])  # type: ignore[index]

        await sidecar.until(counts)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert lost == []
        assert asked > 10
        assert "tls_files_read" in sidecar.log()


async def test_broken_file_leaves_the_sidecar_with_the_last_one(
    server: NatsWithTls, tmp_path: Path, authority: Authority, servers: Endpoints
) -> None:
    own = write_all(tmp_path, authority)
    async with bench_on(server.url, servers.redis_url) as bench:
        bench.nats_options = {"tls": server.context}
        nats_part = {"ca_file": str(tmp_path / "sidecar-ca.pem")}
        nats_part |= {"cert_file": str(own.certificate), "key_file": str(own.key)}
        await bench.put(bench.ruleset(active=False))
        sidecar = await bench.start(nats=nats_part)
        replace(own.key, b"text")
        await server.child.stop()
        await server.child.start()
        await bench.put(bench.ruleset(active=True))
        await sidecar.until_answers(value=True)
        assert sidecar.log().count("tls_files_refused") == 1
        assert f"nats.key_file: expected a private key as PEM in {own.key}, found none" in sidecar.log()


async def test_sidecar_with_a_file_that_cannot_be_used_does_not_start(
    server: NatsWithTls, tmp_path: Path, servers: Endpoints
) -> None:
    async with bench_on(server.url, servers.redis_url) as bench:
        sidecar = await bench.start(nats={"ca_file": str(tmp_path / "none.pem")}, flags_listen="127.0.0.1:0")
        assert await sidecar.process.wait() == 1
        assert f"nats.ca_file: {tmp_path / 'none.pem'} cannot be read (No such file or directory)" in sidecar.log()
