"""How many sidecars Tower hears of, for Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tailslide_tower.sidecars.models import Status
from tailslide_tower.sidecars.service import SidecarService


class SidecarMetrics(Collector):
    """A gauge of all sidecars, by whether they are heard from and up to date."""

    def __init__(self, sidecars: SidecarService) -> None:
        self._sidecars = sidecars

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the gauge as it is now."""
        gauge = GaugeMetricFamily(
            "tailslide_tower_sidecars",
            "Sidecars that this Tower has heard from within a day, by status (current, behind, silent).",
            labels=["status"],
        )
        counts = self._sidecars.counts()
        for status in Status:
            gauge.add_metric([status], counts[status])
        yield gauge
