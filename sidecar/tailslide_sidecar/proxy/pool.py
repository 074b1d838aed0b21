"""Connections to upstreams: kept alive between calls, made when there is none, closed when nobody needs them.

Which server gets a call is `balancing`; what is sent and what comes back is `exchange`'s. Without a connection the call
has failed, and its exchange says so.
"""

import asyncio
import errno
import math
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Protocol

from tailslide_sidecar.proxy import balancing
from tailslide_sidecar.proxy.routes import Address
from tailslide_sidecar.proxy.upstream_connection import UpstreamConnection

KEEPALIVE_S = 1.5
"""Shorter than any server usually keeps an idle connection, so that hardly a call meets one that is being closed."""
MAX_IDLE = 1_024
"""Idle connections to one server."""

_NO_CAPACITY = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class Waiting(Protocol):
    """Who waits for a connection; told exactly once, unless it has cancelled."""

    def connected(self, connection: UpstreamConnection) -> None:
        """Take a new connection."""

    def not_connected(self, error: OSError, *, no_capacity: bool) -> None:
        """There is none: the server refused, or, with `no_capacity`, this machine has no means for another."""


class Server:
    """One upstream server, with the connections to it."""

    __slots__ = (
        "_connecting",
        "_context",
        "address",
        "authority",
        "ejected_until_s",
        "idle",
        "made",
        "open",
        "outstanding",
        "refusals",
        "reused",
    )

    def __init__(self, address: Address, context: Callable[[], ssl.SSLContext]) -> None:
        self.address = address
        self.authority = str(address).partition("://")[2].encode()
        """As a Host field has it."""
        self.outstanding = 0
        """Calls under way."""
        self.ejected_until_s = 0.0
        self.refusals = 0
        self.idle: list[UpstreamConnection] = []
        """Connections without a call, the one that was used last at the end."""
        self.open = 0
        self.made = 0
        self.reused = 0
        self._context = context
        self._connecting: set[asyncio.Task[None]] = set()

    def take(self, now_s: float) -> UpstreamConnection | None:
        """Return a connection that is alive, as far as anybody knows."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if connection.idle_until_s <= now_s:
                connection.close()  # the next look at all of them comes too late: its server may be closing it
            elif connection.transport is not None and not connection.transport.is_closing():
                self.reused += 1
                return connection
        return None

    def put_back(self, connection: UpstreamConnection, now_s: float) -> None:
        """Keep a connection for another call, if it can be used again: nothing but answers has come on it."""
        connection.exchange = None
        keeps_s = connection.keeps_alive_s
        if keeps_s <= 0.0 or connection.reader.broken or len(self.idle) >= MAX_IDLE:
            connection.drop()
            return
        if connection.reading_paused:
            connection.resume_reading()  # nobody would ever read its end, nor the answer to its next call
        connection.idle_until_s = now_s + (min(keeps_s, KEEPALIVE_S))
        self.idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """Forget a connection that has ended; one that was given up while it was being made never counted."""
        if connection.is_counted:
            self.open -= 1
        if connection.exchange is None and connection in self.idle:
            self.idle.remove(connection)

    def connect(self, waiting: Waiting) -> asyncio.Task[None]:
        """Begin to connect; cancelling the task gives up."""
        task = asyncio.get_running_loop().create_task(self._connect(waiting))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return task

    async def _connect(self, waiting: Waiting) -> None:
        loop = asyncio.get_running_loop()
        address = self.address
        secure = address.scheme == "https"
        try:
            _, connection = await loop.create_connection(
                lambda: UpstreamConnection(self),
                address.host,
                address.port,
                ssl=self._context() if secure else None,
                server_hostname=address.host if secure else None,
            )
        except OSError as error:  # ssl.SSLError and socket.gaierror are OSErrors as well
            waiting.not_connected(error, no_capacity=error.errno in _NO_CAPACITY)
            return
        except UnicodeError:  # a host that a client names may have labels that are too long or empty
            waiting.not_connected(socket.gaierror(socket.EAI_NONAME, "no valid name of a host"), no_capacity=False)
            return
        self.made += 1
        # Not in `connection_made`: uvloop drops a connection whose task is cancelled just then, and tells nobody.
        if connection.is_open:
            connection.is_counted = True
            self.open += 1
        balancing.accepted(self)
        waiting.connected(connection)

    def sweep(self, now_s: float) -> None:
        """Close what has been idle for long enough."""
        if self.idle and self.idle[0].idle_until_s <= now_s:
            late = [connection for connection in self.idle if connection.idle_until_s <= now_s]
            self.idle = [connection for connection in self.idle if connection.idle_until_s > now_s]
            for connection in late:
                connection.close()

    async def close(self) -> None:
        """Close idle connections, and give up those that are being made."""
        for connection in self.idle:
            connection.close()
        self.idle = []
        tasks = list(self._connecting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Pool:
    """All upstream servers; a server is the same for all routes that name it, and stays when routes change."""

    def __init__(self) -> None:
        self._servers: dict[Address, Server] = {}
        self._context: ssl.SSLContext | None = None

    def server(self, address: Address) -> Server:
        """Return the server at an address."""
        server = self._servers.get(address)
        if server is None:
            server = self._servers[address] = Server(address, self._ssl)
        return server

    def _ssl(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
        return self._context

    @property
    def servers(self) -> Iterable[Server]:
        """All servers that have been asked for."""
        return self._servers.values()

    def shed(self) -> None:
        """Close all connections that have no call."""
        self.sweep(math.inf)

    def forget_unused(self) -> None:
        """Forget servers without a connection or a call."""
        self._servers = {
            address: server for address, server in self._servers.items() if server.open or server.outstanding
        }

    def sweep(self, now_s: float) -> None:
        """Close connections that have been idle for long enough."""
        for server in self._servers.values():
            server.sweep(now_s)

    async def close(self) -> None:
        """Close all that has no call."""
        for server in self._servers.values():
            await server.close()
