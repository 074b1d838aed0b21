"""aiohttp behind the guard: its protocol, which tells of its answers, and the connection as it gets to see it.

What it is handed, and when, is decided in `guard`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import web


class Answers(Protocol):
    """What hears of the answers to a connection's requests."""

    def answered(self, may_follow: bool, /) -> None:
        """An answer is complete; say whether another request may follow."""

    def switched(self) -> None:
        """The answer was 101: from here on the connection is a WebSocket."""


class AnsweringProtocol(web.RequestHandler):
    """aiohttp's protocol, which says when it has answered."""

    __slots__ = ("_answers",)

    def __init__(self, server: web.Server, answers: Answers, **options: Any) -> None:
        super().__init__(server, **options)
        self._answers = answers

    def set_parser(self, parser: Any, data_received_cb: Callable[[], None] | None = None) -> None:
        """Read what comes as another protocol, which aiohttp does once it has sent a 101."""
        super().set_parser(parser, data_received_cb)
        self._answers.switched()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send what is left of a response."""
        finished, reset = await super().finish_response(request, resp, start_time)
        self._answers.answered(not reset and bool(finished.keep_alive))
        return finished, reset


class Wire(asyncio.Transport):
    """The client's connection as aiohttp gets to see it: it writes there, and reads nothing."""

    def __init__(
        self, transport: asyncio.Transport, finish: Callable[[], None], pause_websocket: Callable[[bool], None]
    ) -> None:
        super().__init__()
        self._transport = transport
        self._finish = finish
        self._pause_websocket = pause_websocket

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes to the client."""
        self._transport.write(data)

    def writelines(self, list_of_data: Any) -> None:
        """Send several parts."""
        self._transport.writelines(list_of_data)

    def close(self) -> None:
        """End once what was sent is out; the guard decides how."""
        self._finish()

    def abort(self) -> None:
        """End now."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it ends already."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Ask the connection itself."""
        return self._transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the client has not taken."""
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when the client counts as slow."""
        self._transport.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        """Of a request aiohttp has all from the beginning; of a WebSocket it may get more than it takes."""
        self._pause_websocket(True)

    def resume_reading(self) -> None:
        """As for `pause_reading`."""
        self._pause_websocket(False)

    def is_reading(self) -> bool:
        """Always, as far as aiohttp is concerned."""
        return True
