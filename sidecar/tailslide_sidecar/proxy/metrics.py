"""What the proxy tells Prometheus: its accounts and its connections, read when asked for."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tailslide_runtime import descriptors
from tailslide_sidecar.proxy.accounts import Accounts, Side
from tailslide_sidecar.proxy.pool import Pool

_NO_ROUTE = "(none)"


class Reloads(Protocol):
    """How often the file of routes was read again."""

    loaded: int
    refused: int
    loaded_at: float


class ProxyMetrics(Collector):
    """Labels are routes, upstreams that the file names, and hosts that were forwarded to, as far as they are held."""

    def __init__(self, accounts: Accounts, pool: Pool, reloads: Reloads) -> None:
        self._accounts = accounts
        self._pool = pool
        self._reloads = reloads

    def collect(self) -> Iterator[Metric]:
        """Return it as Prometheus has it."""
        yield from self._calls()
        yield from self._accounts.latency.collect()
        yield from self._connections()
        yield from self._upstreams()
        yield from self._of_the_file()

    def _calls(self) -> Iterator[Metric]:
        calls = CounterMetricFamily(
            "tailslide_sidecar_proxied_calls",
            "Calls, by route, side (feature, fallback, upstream or none) and how they ended",
            labels=["route", "side", "result"],
        )
        running = GaugeMetricFamily("tailslide_sidecar_proxied_running", "Calls under way", labels=["route"])
        retried = CounterMetricFamily(
            "tailslide_sidecar_proxied_retries_on_fallback",
            "Calls that failed at the feature and were answered by the fallback instead",
            labels=["route"],
        )
        carried = CounterMetricFamily(
            "tailslide_sidecar_proxied_bytes",
            "Bytes of requests' bodies (up) and of whole answers (down)",
            labels=["route", "direction"],
        )
        for account in self._accounts.routes:
            for side, end, count in account.ends():
                calls.add_metric([account.label, side.value, end.value], count)
            running.add_metric([account.label], account.running)
            retried.add_metric([account.label], account.retried)
            carried.add_metric([account.label, "up"], account.bytes_up)
            carried.add_metric([account.label, "down"], account.bytes_down)
        for why, count in self._accounts.unrouted.items():
            calls.add_metric([_NO_ROUTE, Side.NONE.value, why.value], count)
        calls.add_metric([_NO_ROUTE, Side.NONE.value, "refused"], self._accounts.refused)
        yield from (calls, running, retried, carried)
        yield CounterMetricFamily(
            "tailslide_sidecar_proxied_resent",
            "Calls sent again, since their upstream was closing the connection",
            value=self._accounts.resent,
        )

    def _connections(self) -> Iterator[Metric]:
        accounts = self._accounts
        yield GaugeMetricFamily(
            "tailslide_sidecar_proxy_connections", "Open connections of clients", value=accounts.connections
        )
        yield CounterMetricFamily(
            "tailslide_sidecar_proxy_connections_accepted", "Connections of clients", value=accounts.accepted
        )
        yield CounterMetricFamily(
            "tailslide_sidecar_proxy_connections_turned_away",
            "Connections of clients beyond the limits",
            value=accounts.turned_away,
        )
        yield CounterMetricFamily(
            "tailslide_sidecar_proxy_connections_evicted",
            "Connections whose clients had nothing to ask, closed to make place for others",
            value=accounts.evicted,
        )
        count = descriptors.open_count()
        if count is not None:
            yield GaugeMetricFamily("tailslide_sidecar_open_fds", "Open file descriptors", value=count)
        yield GaugeMetricFamily(
            "tailslide_sidecar_max_fds", "File descriptors that may be open", value=descriptors.limit()
        )

    def _upstreams(self) -> Iterator[Metric]:
        connections = GaugeMetricFamily(
            "tailslide_sidecar_upstream_connections", "Open connections to upstreams", labels=["upstream", "state"]
        )
        made = CounterMetricFamily(
            "tailslide_sidecar_upstream_connects", "Connections made to upstreams", labels=["upstream"]
        )
        reused = CounterMetricFamily(
            "tailslide_sidecar_upstream_reuses", "Calls that found a connection to their upstream", labels=["upstream"]
        )
        refusals = GaugeMetricFamily(
            "tailslide_sidecar_upstream_refusals",
            "Connections that an upstream has refused in a row",
            labels=["upstream"],
        )
        for server in self._pool.servers:
            name = str(server.address)
            connections.add_metric([name, "idle"], len(server.idle))
            connections.add_metric([name, "busy"], server.open - len(server.idle))
            made.add_metric([name], server.made)
            reused.add_metric([name], server.reused)
            refusals.add_metric([name], server.refusals)
        yield from (connections, made, reused, refusals)

    def _of_the_file(self) -> Iterator[Metric]:
        reads = CounterMetricFamily(
            "tailslide_sidecar_config_reloads", "Times that the file was read again, by result", labels=["result"]
        )
        reads.add_metric(["loaded"], self._reloads.loaded)
        reads.add_metric(["refused"], self._reloads.refused)
        yield reads
        yield GaugeMetricFamily(
            "tailslide_sidecar_config_loaded_timestamp_seconds",
            "When the routes in use were read",
            value=self._reloads.loaded_at,
        )

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is depends on the routes."""
        return []
