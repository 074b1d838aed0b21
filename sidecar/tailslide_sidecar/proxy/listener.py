"""What all connections of the proxy share: routes, limits, the clock, the upstreams, and an orderly end."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate

import structlog

from tailslide_runtime.connections import Connections
from tailslide_runtime.descriptors import connections_for
from tailslide_runtime.http1.requests import RequestHead
from tailslide_runtime.settings import ListenAddress
from tailslide_sidecar.calls import Calls
from tailslide_sidecar.proxy.access_log import AccessLog
from tailslide_sidecar.proxy.accounts import Accounts
from tailslide_sidecar.proxy.active_route import ActiveRoute
from tailslide_sidecar.proxy.client_connection import ClientConnection
from tailslide_sidecar.proxy.exchange import Exchange
from tailslide_sidecar.proxy.limits import ProxyLimits, ProxyOptions
from tailslide_sidecar.proxy.pool import Pool
from tailslide_sidecar.proxy.routes import Route, RouteTable
from tailslide_sidecar.proxy.tunnel import Tunnel

log = structlog.get_logger()

SWEEP_S = 1.0
TICK_S = 0.02
"""How late a timeout may be noticed; more with thousands of calls at a time, whose deadlines are all looked at."""
_TICK_PER_CALL_S = 0.00002
_MANY_ROUTES = 2_000
PATIENCE_S = 1.0
"""So long a client may have nothing to ask before its connection makes place for others, where places are wanting."""


class ProxyListener:
    """Makes a protocol for each connection; `run` keeps the time."""

    def __init__(
        self,
        table: RouteTable,
        calls: Calls,
        accounts: Accounts,
        options: ProxyOptions,
        *,
        descriptors: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`descriptors` are how many files the process may have open; `clock` gives Unix time for the Date header."""
        loop = asyncio.get_running_loop()
        self.table = table
        self.calls = calls
        self.accounts = accounts
        self.options = options
        self.limits: ProxyLimits = options.limits
        self.time: Callable[[], float] = loop.time
        self.now_s = loop.time()
        """The loop's time at the last look: less than a tick ago while calls are watched, else less than a second."""
        self.date_line = b""
        self.pool = Pool()
        self.in_use: dict[int, ActiveRoute] = {}
        """Routes that calls have taken, by the identity of the route."""
        self.closing = False
        """Whether each answer is the last of its connection."""
        self.clients = Connections(_as_many_as_fit(options.limits, descriptors), patience_s=PATIENCE_S)
        self._clock = clock
        self._loop = loop
        self.access_log = AccessLog(options)
        self.new_exchange: Callable[[ClientConnection, RequestHead], Exchange] = Exchange
        """Makes the exchange of each call; another one where calls are recorded as traces."""
        self._per_peer: Counter[str] = Counter()
        self.running: set[Exchange | Tunnel] = set()
        """Calls under way."""
        self.ticks = False
        """Whether deadlines are looked at; not while there is none."""
        self._ticking: asyncio.TimerHandle | None = None
        self._turn = 0
        self._own: frozenset[bytes] = frozenset()
        self.refresh()

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return ClientConnection(self)

    def listens_on(self, address: ListenAddress) -> None:
        """Know the names under which clients speak of this proxy itself."""
        if address.path is None:
            names = {str(address).rpartition(":")[0].lower(), "localhost", "127.0.0.1", "[::1]"}
            own = {f"{name}:{address.port}" for name in names} | (names if address.port == 80 else set())
            self._own = frozenset(name.encode() for name in own)

    def is_own(self, authority: bytes) -> bool:
        """Whether a request in absolute form is for this proxy itself."""
        return authority.lower() in self._own

    # Routes

    def change(self, table: RouteTable, options: ProxyOptions) -> None:
        """Send what comes from now on by other routes; calls under way go on as they began. Limits stay."""
        self.table = table
        self.options = options
        self.access_log.tell_left_out()
        self.access_log = AccessLog(options)
        self.in_use.clear()
        for connection in self.clients:
            if isinstance(connection, ClientConnection):
                connection.judge_peer()

    def use(self, route: Route) -> ActiveRoute:
        """Return a route as it is in use."""
        if len(self.in_use) > _MANY_ROUTES:
            self.in_use.clear()  # hosts that are forwarded to come and go
            self.pool.forget_unused()
        # The route is kept with it, so that no other gets its identity.
        active = self.in_use[id(route)] = ActiveRoute(route, self.accounts.route(route.label), self.pool)
        return active

    def turn(self) -> int:
        """Return another number with each call, to begin a choice at."""
        self._turn += 1
        return self._turn

    # Connections

    def opened(self, connection: ClientConnection, peer: str | None) -> bool:
        """Keep an eye on a connection; say whether it may stay."""
        accounts, clients, per_peer = self.accounts, self.clients, self.limits.max_connections_per_peer
        welcome = True
        if peer is not None and per_peer is not None:
            self._per_peer[peer] += 1
            welcome = self._per_peer[peer] <= per_peer
        evicted = clients.made_place
        stays = clients.opened(connection, welcome=welcome)
        accounts.accepted += 1
        accounts.connections += 1
        accounts.evicted += clients.made_place - evicted
        if not stays:
            accounts.turned_away += 1
        return stays

    def gone(self, connection: ClientConnection, peer: str | None) -> None:
        """Forget a connection."""
        self.clients.gone(connection)
        self.accounts.connections -= 1
        if peer is not None and self.limits.max_connections_per_peer is not None:
            self._per_peer[peer] -= 1
            if not self._per_peer[peer]:
                del self._per_peer[peer]

    # Calls

    def watch(self, call: Exchange | Tunnel) -> None:
        """Call `overdue` when the deadline has passed."""
        self.running.add(call)
        if not self.ticks:
            self.begin_to_tick()

    def begin_to_tick(self) -> None:
        """Look at deadlines from now on, as long as there are calls."""
        self.ticks = True
        self.now_s = self._loop.time()
        self._ticking = self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        # A look at every call is cheaper than a timer for each: hardly one of them is ever late.
        self.now_s = now_s = self._loop.time()
        try:
            for call in [call for call in self.running if call.deadline_s <= now_s]:
                if call.deadline_s <= now_s:  # not if ending another one has moved it
                    call.overdue()
        finally:
            self.ticks = bool(self.running)
            tick_s = max(TICK_S, len(self.running) * _TICK_PER_CALL_S)
            self._ticking = self._loop.call_later(tick_s, self._tick) if self.ticks else None

    def refresh(self) -> None:
        """Let answers carry the present second."""
        self.now_s = self._loop.time()
        self.date_line = b"\r\nDate: " + formatdate(self._clock(), usegmt=True).encode()

    async def run(self) -> None:
        """Keep the date, and end what takes too long, until cancelled."""
        while True:
            self.refresh()
            self.pool.sweep(self.now_s)
            self.clients.sweep(self.now_s)
            self.access_log.tell_left_out()
            # The date has to change with the second, not a second after the last look.
            await asyncio.sleep(SWEEP_S - self._clock() % SWEEP_S)

    # The end

    def end_with_answers(self) -> None:
        """Let each answer from now on be the last of its connection; new connections are still taken."""
        self.closing = True

    def close(self) -> None:
        """End idle connections at once, and the others with their answer."""
        self.closing = True
        self.clients.close()

    async def drained(self, timeout_s: float) -> None:
        """Wait until calls that had begun have ended, or end them when that takes too long; let go of upstreams."""
        await self.clients.drained(timeout_s)
        self.access_log.tell_left_out()
        await self.pool.close()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None


def _as_many_as_fit(limits: ProxyLimits, descriptors: int) -> int:
    fitting = connections_for(descriptors)
    if fitting < limits.max_connections:
        log.warning(
            "file_descriptors_too_few",
            message="there are too few for limits.max_connections; raise the limit of open files (ulimit -n)",
            max_connections=limits.max_connections,
            descriptors=descriptors,
            connections=fitting,
        )
    return min(limits.max_connections, fitting)
