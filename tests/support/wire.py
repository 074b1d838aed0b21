"""A transport of paper, for tests of protocols without sockets."""

import asyncio
from typing import Any


class Wire(asyncio.Transport):
    """Keeps what is written until it is taken, and says when that is too much."""

    def __init__(self, protocol: asyncio.Protocol, high_water: int = 1 << 30) -> None:
        super().__init__()
        self.protocol = protocol
        self.high_water = high_water
        self.unsent = b""
        self.most_unsent = 0
        self.reading = True
        self.closing = False
        self.half_closed = False
        self.end = ""
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing
        full = len(self.unsent) > self.high_water
        self.unsent += data
        self.most_unsent = max(self.most_unsent, len(self.unsent))
        if not full and len(self.unsent) > self.high_water:
            self.protocol.pause_writing()

    def take(self, size: int | None = None) -> bytes:
        """Let the client take some of it, or all."""
        full = len(self.unsent) > self.high_water
        size = len(self.unsent) if size is None else size
        taken, self.unsent = self.unsent[:size], self.unsent[size:]
        if full and len(self.unsent) <= self.high_water:
            self.protocol.resume_writing()
        if self.closing and not self.unsent:
            self._end("closed")
        return taken

    def take_all(self) -> bytes:
        taken = b""
        while self.unsent:
            taken += self.take()
        return taken

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        if not self.unsent:
            self._end("closed")

    def abort(self) -> None:
        self.closing = True
        self._end("aborted")

    def _end(self, how: str) -> None:
        if not self.end:
            self.end = how
            self.protocol.connection_lost(None)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol
