"""What is left of a call behind its upgrade: two connections, and bytes that are handed on as they come.

The call itself has ended with its 101, and is counted by it: a WebSocket may stay for days, and what goes through it is
nobody's failure.
"""

from typing import TYPE_CHECKING

from tailslide_sidecar.proxy.active_route import ActiveRoute

if TYPE_CHECKING:  # each knows the other
    from tailslide_sidecar.proxy.client_connection import ClientConnection
    from tailslide_sidecar.proxy.upstream_connection import UpstreamConnection


class Tunnel:
    """Ends both connections when one of them ends, or when neither says anything for the route's `idle_ms`."""

    __slots__ = ("_client", "_connection", "_has_ended", "_route", "deadline_s")

    def __init__(self, client: "ClientConnection", connection: "UpstreamConnection", route: ActiveRoute) -> None:
        """Take both connections over; `overdue` is called when `deadline_s` has passed."""
        self._client = client
        self._connection = connection
        self._route = route
        self._has_ended = False
        route.account.running += 1
        connection.server.outstanding += 1
        connection.exchange = None
        connection.tunnel = self
        self.deadline_s = client.listener.now_s + route.idle_s
        client.listener.watch(self)

    def down(self, data: bytes) -> None:
        """Hand bytes of the upstream to the client."""
        self.deadline_s = self._client.listener.now_s + self._route.idle_s
        self._route.account.bytes_down += len(data)
        self._client.write(data)

    def up(self, data: bytes) -> None:
        """Hand bytes of the client to the upstream."""
        self.deadline_s = self._client.listener.now_s + self._route.idle_s
        self._route.account.bytes_up += len(data)
        self._connection.write(data)

    def client_paused(self) -> None:
        """The client takes no more: the upstream is to wait."""
        self._connection.pause_reading()

    def client_resumed(self) -> None:
        """The client takes more again."""
        self._connection.resume_reading()

    def upstream_paused(self) -> None:
        """The upstream takes no more: the client is to wait."""
        self._client.hold_back(True)

    def upstream_resumed(self) -> None:
        """The upstream takes more again."""
        self._client.hold_back(False)

    def overdue(self) -> None:
        """Nothing has come for too long."""
        self.end()

    def end(self) -> None:
        """End both connections, each behind what is left to send."""
        if self._has_ended:
            return
        self._has_ended = True
        connection, client = self._connection, self._client
        self._route.account.running -= 1
        connection.server.outstanding -= 1
        client.listener.running.discard(self)
        connection.end_tunnel()
        client.hold_back(False)
        client.close()
