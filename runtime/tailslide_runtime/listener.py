"""An aiohttp application behind a guard, on an address: the only way in which our processes serve aiohttp.

Whoever composes a process makes one, listens, runs it beside the rest, and closes it at the end.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tailslide_runtime.answering import AnsweringProtocol, Answers
from tailslide_runtime.connections import Connections
from tailslide_runtime.guard import (
    SERVER,
    ErrorBody,
    Guard,
    ListenerLimits,
    one_shape,
)
from tailslide_runtime.http1.refusals import JSON_TYPE
from tailslide_runtime.listening import Bound, bind
from tailslide_runtime.own_names import OwnNames
from tailslide_runtime.service_manager import Inherited
from tailslide_runtime.settings import ListenAddress
from tailslide_runtime.tls import ServerTls

_NEVER_S = 1e7
"""The guard ends idle connections, not aiohttp."""
_LAST_MOMENT_S = 0.5
"""How many seconds handlers that are cancelled at the end may take to finish."""


class HttpListener:
    """An application, its guard, and the connections that it has."""

    def __init__(
        self,
        application: web.Application,
        address: ListenAddress,
        setting: str,
        *,
        allowed_hosts: Iterable[str] = (),
        limits: ListenerLimits | None = None,
        error_body: ErrorBody = one_shape,
        error_type: bytes = JSON_TYPE,
        cancels: bool = False,
        websockets: Collection[str] = (),
        inherited: Inherited | None = None,
        tls: ServerTls | None = None,
    ) -> None:
        """Serve `application` on `address`, which the setting of that name gives, or on an `inherited` socket.

        `allowed_hosts` are names of this listener besides those of loopback. `error_body` gives the body of what the
        guard refuses, of the type `error_type`. With `cancels`, a handler is cancelled when its client is gone.
        `websockets` are the paths that may become one. With `tls` it answers over TLS alone.
        """
        limits = ListenerLimits() if limits is None else limits
        self.address = address = address if inherited is None else inherited.address
        self._inherited = inherited
        self.connections = Connections(limits.max_connections)
        self.tls = tls
        self._setting = setting
        # Larger than the guard's bounds, so that those decide.
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": _NEVER_S,
            "lingering_time": 0.0,
            "max_line_size": 2 * limits.max_target_bytes,
            "max_field_size": 2 * limits.max_header_bytes,
            "max_headers": 2 * limits.max_headers,
        }
        application.on_response_prepare.append(self._complete)
        self._runner = web.AppRunner(application, handler_cancellation=cancels, shutdown_timeout=_LAST_MOMENT_S)
        self.guard = Guard(
            self._answering,
            self.connections,
            limits,
            OwnNames.of(address, allowed_hosts),
            error_body,
            error_type,
            websockets=websockets,
        )
        self._bound: Bound | None = None

    def __repr__(self) -> str:
        return f"<HttpListener {self.address} with {self.connections!r}>"

    def _answering(self, answers: Answers) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None
        return AnsweringProtocol(server, answers, loop=asyncio.get_running_loop(), **self._options)

    async def _complete(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = SERVER
        if self.connections.each_last:
            response.force_close()

    async def listen(
        self, protocol: Callable[[], asyncio.Protocol] | None = None, *, socket_mode: int | None = None
    ) -> ListenAddress:
        """Start to listen and return the address with its actual port.

        `protocol` makes what takes connections before the guard does, which otherwise takes them at once. Raises
        `StartError` that names the setting when the address cannot be had. `socket_mode` are the permissions of a unix
        socket.
        """
        await self._runner.setup()
        factory = self.guard.connection if protocol is None else protocol
        self._bound = await bind(
            factory, self.address, self._setting, socket_mode=socket_mode, inherited=self._inherited, tls=self.tls
        )
        self.address = self._bound.address
        return self.address

    async def run(self) -> None:
        """End connections that are late, and follow the certificate, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.connections.run())
            if self.tls is not None:
                group.create_task(self.tls.run())

    def stop_accepting(self) -> None:
        """Take no new connections."""
        bound, self._bound = self._bound, None
        if bound is not None:
            bound.close()

    def stop(self) -> None:
        """Take no new connections, and end those that are idle; requests that have begun go on."""
        self.stop_accepting()
        self.connections.close()

    async def close(self, drain_s: float) -> None:
        """Stop, wait up to `drain_s` seconds for requests that have begun, and close everything."""
        self.stop()
        await self.connections.drained(drain_s)
        await self._runner.cleanup()


class ListenerMetrics(Collector):
    """What a process tells of a listener: `tailslide_<process>_<listener>_…`."""

    def __init__(self, listener: HttpListener, prefix: str) -> None:
        self._listener = listener
        self._prefix = prefix

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Give the samples of this moment."""
        connections, guard = self._listener.connections, self._listener.guard
        name = partial("{}_{}".format, self._prefix)
        yield GaugeMetricFamily(name("connections"), "Connections of clients now.", len(connections))
        yield CounterMetricFamily(name("connections_accepted"), "Connections that came.", connections.accepted)
        yield CounterMetricFamily(
            name("connections_turned_away"), "Connections refused at the limit.", connections.turned_away
        )
        yield CounterMetricFamily(
            name("connections_evicted"),
            "Connections closed at the limit for others, while they waited for their clients.",
            connections.made_place,
        )
        refused = CounterMetricFamily(
            name("requests_refused"), "Requests that the guard refused, by the code of the error.", labels=["code"]
        )
        for code, count in sorted(guard.refused.items()):
            refused.add_metric([code], count)
        yield refused
        if self._listener.tls is not None:
            yield GaugeMetricFamily(
                name("certificate_expires_timestamp_seconds"),
                "When the certificate that is served expires, in Unix time.",
                self._listener.tls.validity.ends.timestamp(),
            )
