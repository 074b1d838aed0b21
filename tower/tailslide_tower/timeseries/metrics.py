"""What graphs tell Prometheus."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tailslide_tower.timeseries.series import RedisGraphSeries


class GraphMetrics(Collector):
    """Whether graphs can be read."""

    def __init__(self, series: RedisGraphSeries) -> None:
        self._series = series

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Give the samples of this moment."""
        yield GaugeMetricFamily(
            "tailslide_tower_graphs_available",
            "1 unless the last reading of the time series has failed.",
            float(self._series.problem is None),
        )
        yield CounterMetricFamily(
            "tailslide_tower_graph_failures", "Readings of the time series that have failed.", self._series.errors
        )
