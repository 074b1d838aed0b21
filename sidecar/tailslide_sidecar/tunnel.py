"""Bytes both ways between two connections, once both sides have switched to WebSocket. Knows nothing of frames."""

import asyncio

import aiohttp
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_writer import StreamWriter

_LIMIT = 65_536


class _RawReader:
    """Takes what a connection receives, in place of a parser; reading pauses while nobody takes it off."""

    def __init__(self, protocol: BaseProtocol) -> None:
        self.stream = aiohttp.StreamReader(protocol, _LIMIT, loop=asyncio.get_running_loop())

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes; the answer says that there is never an end, nor anything left over."""
        self.stream.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        """The connection has ended."""
        self.stream.feed_eof()


async def run(request: web.BaseRequest, response: web.StreamResponse, answer: aiohttp.ClientResponse) -> None:
    """Copy both ways until either side closes; `response` is the 101 sent to the client, `answer` the upstream's."""
    connection = answer.connection
    if connection is None or connection.protocol is None:
        return  # the upstream has closed right after its 101
    upstream = connection.protocol
    from_client, from_upstream = _RawReader(request.protocol), _RawReader(upstream)
    # Both take whatever has these two methods; aiohttp's own WebSocket reader is the only other one.
    request.protocol.set_parser(from_client)  # type: ignore[arg-type]
    upstream.set_parser(from_upstream, from_upstream.stream)
    to_upstream = StreamWriter(upstream, asyncio.get_running_loop())
    up = asyncio.create_task(_copy(from_client.stream, to_upstream))
    down = asyncio.create_task(_copy(from_upstream.stream, response))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def _copy(source: aiohttp.StreamReader, target: StreamWriter | web.StreamResponse) -> None:
    """Copy until the source ends; a target that is gone raises, which ends the tunnel as well."""
    while chunk := await source.readany():
        await target.write(chunk)
