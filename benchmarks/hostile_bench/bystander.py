"""The bystander: an upstream, and a steady client of everything that is attacked, in a process of their own.

Says at first on which port the upstream listens, then a line of JSON for each call: which probe, when it began
(CLOCK_MONOTONIC, the same for all processes), milliseconds, and what came. Reads from its input whom to call: a line of
JSON with `proxy` and any number of other names, each `[host, port]`.
"""

import asyncio
import json
import sys
import time

import httptools

KEPT = 4
KEPT_EVERY_S = 0.1
FRESH_EVERY_S = 0.1
OTHERS_EVERY_S = 0.2
TIMEOUT_S = 30.0
SLOW_S = 5.0

_CALL = b"GET /svc/ok HTTP/1.1\r\nHost: shop\r\nx-user-id: u1\r\n\r\n"
_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """Answers at once, or for paths with `slow` after a while; with `fail` it answers 500. Bodies are discarded."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._target = b""
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # answered like all others, and nothing more is read
            pass
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._target = b""

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_message_complete(self) -> None:
        answer = _FAILED if b"fail" in self._target else _OK
        if b"slow" in self._target:
            asyncio.get_running_loop().call_later(SLOW_S, self._transport.write, answer)
        else:
            self._transport.write(answer)


class Probe:
    """Calls one address, again and again."""

    def __init__(self, name: str, address: tuple[str, int], message: bytes) -> None:
        self._name = name
        self._address = address
        self._message = message

    async def kept(self, every_s: float) -> None:
        """Call over one connection; open another when it breaks."""
        streams = None
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    if streams is None:
                        streams = await asyncio.open_connection(*self._address)
                    result = await self._exchange(*streams)
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                result = type(error).__name__
                if streams is not None:
                    streams[1].close()
                streams = None
            self._tell(began, result)
            await asyncio.sleep(max(0.0, every_s - (time.monotonic() - began)))

    async def fresh(self, every_s: float) -> None:
        """Call over new connections, whether those before are answered or not."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._once())
                await asyncio.sleep(every_s)

    async def _once(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reader, writer = await asyncio.open_connection(*self._address)
                try:
                    result = await self._exchange(reader, writer)
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            result = type(error).__name__
        self._tell(began, result)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(self._message)
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.partition(b":")[2]))
        return head.split(b" ", 2)[1].decode()

    def _tell(self, began: float, result: str) -> None:
        took_ms = (time.monotonic() - began) * 1000
        print(json.dumps([self._name, began, took_ms, result]), flush=True)


async def _probe(addresses: dict[str, tuple[str, int]]) -> None:
    async with asyncio.TaskGroup() as group:
        for name, address in addresses.items():
            probe = Probe(name, address, _CALL if name == "proxy" else _HEALTH)
            if name == "proxy":
                for _ in range(KEPT):
                    group.create_task(probe.kept(KEPT_EVERY_S))
                group.create_task(probe.fresh(FRESH_EVERY_S))
            else:
                group.create_task(probe.fresh(OTHERS_EVERY_S))


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    probing: asyncio.Task[None] | None = None
    while line := await orders.readline():
        if probing is not None:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        addresses = {name: (str(host), int(port)) for name, (host, port) in json.loads(line).items()}
        probing = asyncio.create_task(_probe(addresses))


if __name__ == "__main__":
    asyncio.run(main())
