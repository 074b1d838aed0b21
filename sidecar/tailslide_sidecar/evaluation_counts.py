"""How often each flag was answered, and how: counted where it costs next to nothing, told when Prometheus asks."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from tailslide_core.evaluation import Decision, Reason

UNKNOWN_FLAG = "(unknown)"


class Tally:
    """One number, which whoever counts often raises itself."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class EvaluationCounts(Collector):
    """Numbers of answers by flag and decision; flags that the app does not have share one name."""

    def __init__(self) -> None:
        self.unknown = 0
        self._tallies: dict[tuple[str, Decision], Tally] = {}

    def add(self, flag: str, decision: Decision) -> None:
        """Count an answer to a known flag."""
        self.tally(flag, decision).count += 1

    def tally(self, flag: str, decision: Decision) -> Tally:
        """Return where such answers to a known flag are counted, always the same."""
        key = (flag, decision)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally()
        return tally

    def collect(self) -> Iterator[Metric]:
        """Return the counts as Prometheus has them."""
        family = CounterMetricFamily(
            "tailslide_sidecar_evaluations",
            "Flags answered, by flag, by whether it was on, and by reason",
            labels=["flag", "active", "reason"],
        )
        for (flag, decision), tally in self._tallies.items():
            if tally.count:
                family.add_metric([flag, _boolean(decision.active), decision.reason.lower()], tally.count)
        if self.unknown:
            family.add_metric([UNKNOWN_FLAG, _boolean(False), Reason.FLAG_NOT_FOUND.lower()], self.unknown)
        yield family

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the labels are not known beforehand."""
        return []


def _boolean(value: bool) -> str:
    return "true" if value else "false"
