"""One connection to an upstream, for one call after another."""

import asyncio
from typing import TYPE_CHECKING, cast

from tailslide_sidecar.proxy.responses import ResponseReader

if TYPE_CHECKING:  # each knows the other
    from tailslide_sidecar.proxy.exchange import Exchange
    from tailslide_sidecar.proxy.pool import Server
    from tailslide_sidecar.proxy.tunnel import Tunnel

WRITE_HIGH_BYTES = 262_144
TUNNEL_END_S = 30.0
"""How long the last bytes of an upgraded connection whose client has left may take to be taken."""


class UpstreamConnection(asyncio.Protocol):
    """Hands what comes to the exchange that has the connection; without one, nothing may come."""

    __slots__ = (
        "_giving_up",
        "exchange",
        "idle_until_s",
        "is_counted",
        "keeps_alive_s",
        "reader",
        "reading_paused",
        "server",
        "transport",
        "tunnel",
        "uses",
        "writing_paused",
    )

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.exchange: Exchange | None = None
        self.uses = 0
        """How many calls it has had, with the present one."""
        self.idle_until_s = 0.0
        self.keeps_alive_s = float("inf")
        """How long the upstream says that it keeps an idle connection; one second less than that."""
        self.is_counted = False
        """Whether it is one of its server's open ones."""
        self.tunnel: Tunnel | None = None
        """What has the connection behind an upgrade, in place of an exchange."""
        self.reading_paused = False
        self.writing_paused = False
        self.transport: asyncio.Transport | None = None
        self._giving_up: asyncio.TimerHandle | None = None
        self.reader = ResponseReader()

    @property
    def is_open(self) -> bool:
        """Whether it can be written to."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def has_unsent(self) -> bool:
        """Whether anything is still on its way out."""
        return self.transport is not None and self.transport.get_write_buffer_size() > 0

    @property
    def was_silent(self) -> bool:
        """Whether nothing has come since the request was sent."""
        return self.reader.is_silent

    def write(self, data: bytes) -> None:
        """Send."""
        if self.transport is not None:
            self.transport.write(data)

    def write_all(self, parts: list[bytes]) -> None:
        """Send several parts one after another."""
        if self.transport is not None:
            self.transport.writelines(parts)

    def pause_reading(self) -> None:
        """Take no more, for as long as the client takes no more."""
        if not self.reading_paused and self.transport is not None:
            self.reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        if self.reading_paused and self.transport is not None:
            self.reading_paused = False
            self.transport.resume_reading()

    def drop(self) -> None:
        """Belong to no call, and end: what else would come is of no use."""
        self.exchange = None
        if self.transport is not None:
            self.transport.abort()

    def end_tunnel(self) -> None:
        """End behind what is left to send, or when that is not taken."""
        self.tunnel = None
        if self.transport is not None:
            self.transport.close()
            if self.has_unsent:
                self._giving_up = asyncio.get_running_loop().call_later(TUNNEL_END_S, self.transport.abort)

    def close(self) -> None:
        """End when all is sent."""
        if self.transport is not None:
            self.transport.close()

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self.transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)

    def data_received(self, data: bytes) -> None:
        """Hand on what has come."""
        exchange = self.exchange
        if exchange is not None:
            exchange.answered(self.reader.feed(data), len(data))
        elif self.tunnel is not None:
            self.tunnel.down(data)
        else:
            self.close()  # an answer to nothing, or the farewell of a server that has had enough

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.transport = None
        if self._giving_up is not None:
            self._giving_up.cancel()
        exchange = self.exchange
        self.server.lost(self)
        if self.tunnel is not None:
            self.tunnel.end()
        if exchange is None:
            return
        if exc is None:
            exchange.answered(self.reader.ended(), 0)
        if self.exchange is exchange:
            exchange.upstream_lost()

    def pause_writing(self) -> None:
        """Take no more from the client."""
        self.writing_paused = True
        owner = self.exchange or self.tunnel
        if owner is not None:
            owner.upstream_paused()

    def resume_writing(self) -> None:
        """Go on."""
        self.writing_paused = False
        owner = self.exchange or self.tunnel
        if owner is not None:
            owner.upstream_resumed()
