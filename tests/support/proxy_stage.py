"""A real sidecar between a client and an upstream that both speak in raw bytes: what the proxy's transcripts run on.

One sidecar serves all tests of a module. Each test begins with upstreams that have heard nothing, and ends with no
connection to them left.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from proxy_transcripts import Message, NotStrictError, answers_in, requests_in
from sidecar_bench import Bench, Sidecar, bench_on, raw_upstream

from tailslide_embedded.stack import Endpoints

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WAIT_S = 20.0
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@dataclass
class Upstream:
    """A server that answers each request by its own target, unless it is told what else to say.

    What it hears is read strictly: bytes that are not one request after the other are a fault, for the test to see.
    """

    url: str = ""
    talk: Talk | None = None
    heard: list[Message] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unfinished: list[bytes] = field(default_factory=list)
    """Of connections that have ended, what was left of a request that was not whole."""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def begin(self) -> None:
        self.talk = None
        self.heard, self.faults, self.unfinished = [], [], []

    def says(self, answer: bytes, *, closes: bool = False) -> None:
        """Answer each request with these bytes."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            async for _ in self._requests(reader):
                writer.write(answer)
                await writer.drain()
                if closes:
                    return

        self.talk = talk

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await (self.talk or self._echo)(reader, writer)
        finally:
            self._writers.discard(writer)

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for message in self._requests(reader):
            body = b"" if message.method == "HEAD" else message.target
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(message.target), body))
            await writer.drain()

    async def _requests(self, reader: asyncio.StreamReader) -> AsyncIterator[Message]:
        rest = b""
        while data := await reader.read(65_536):
            try:
                found, rest = requests_in(rest + data)
            except NotStrictError as error:
                self.faults.append(f"{error} in {rest + data!r}")
                return
            for message in found:
                self.heard.append(message)
                yield message
        if rest:
            self.unfinished.append(rest)

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    def asked(self) -> list[tuple[str, bytes, bytes]]:
        """Return method, target and body of each request that was heard."""
        return [(message.method, message.target, message.body) for message in self.heard]


@dataclass
class Stage:
    """A sidecar that believes its clients, one that does not, and the upstream behind both."""

    bench: Bench
    trusting: Sidecar
    doubting: Sidecar
    upstream: Upstream

    async def sends(self, *parts: bytes, to: Sidecar | None = None) -> bytes:
        """Send bytes in these parts; return all that comes back until the connection ends."""
        async with self.connection(to) as (reader, writer):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            return await reader.read()

    async def asks(self, *requests: bytes, to: Sidecar | None = None) -> list[Message]:
        """Send requests at once, the last of which is answered with the connection's end; return the answers."""
        methods = [request.partition(b" ")[0].decode() for request in requests]
        return answers_in(await self.sends(b"".join(requests), to=to), *methods)

    @asynccontextmanager
    async def connection(
        self, to: Sidecar | None = None
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Yield a connection to the proxy, on which nothing may take for ever."""
        host, _, port = (to or self.trusting).proxy.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            async with asyncio.timeout(WAIT_S):
                yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):  # broken off by the other side
                await writer.wait_closed()

    async def end_of_test(self) -> None:
        """Hang up, and see that nothing is left of any call."""
        self.upstream.hang_up()
        for sidecar in (self.trusting, self.doubting):
            for state in ("idle", "busy"):
                sample = f'tailslide_sidecar_upstream_connections{{state="{state}",upstream="{self.upstream.url}"}}'
                await sidecar.until_metric(sample, 0)
            await sidecar.until_metric("tailslide_sidecar_proxy_connections", 0)
        assert self.upstream.faults == []


@asynccontextmanager
async def stage_on(servers: Endpoints) -> AsyncIterator[Stage]:
    """Yield a stage on running NATS and Redis servers."""
    upstream = Upstream()
    async with bench_on(servers.nats_url, servers.redis_url) as bench, raw_upstream(upstream.serve) as url:
        upstream.url = url
        await bench.put(bench.ruleset())
        routes: list[dict[str, object]] = [
            {"match": {"host": "gone"}, "upstream": "http://127.0.0.1:9"},
            {"match": {"host": "slow"}, "upstream": url, "timeouts": {"first_byte_ms": 200}},
            {"match": {"host": "one"}, "upstream": url, "max_calls": 1},
            {"match": {"host": "small"}, "upstream": url, "max_body_bytes": 10},
            {"match": {"host": "fixed"}, "answer": {"status": 200, "body": "fixed"}},
            {"match": {"host": "h"}, "upstream": url},
            {"match": {"host": "*.example"}, "upstream": url},
        ]
        trusting = await bench.start(*routes)
        doubting = await bench.start({"upstream": url}, trusted_peers=["192.0.2.0/24"])
        yield Stage(bench, trusting, doubting, upstream)
