"""What the live socket tells Prometheus."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tailslide_tower.live.hub import Hub


class LiveMetrics(Collector):
    """The clients of a hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Give the samples of this moment."""
        yield GaugeMetricFamily("tailslide_tower_live_connections", "Clients of the live socket now.", len(self._hub))
        ended = CounterMetricFamily(
            "tailslide_tower_live_ended",
            "Live sockets that Tower has ended, by code.",
            labels=["code"],
        )
        for code, count in sorted(self._hub.closed.items()):
            ended.add_metric([str(int(code))], count)
        yield ended
