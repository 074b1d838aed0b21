"""How often each flag was answered, and how: counted where it costs next to nothing, told when Prometheus asks."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from tailslide_core.decisions import Decision, Reason

UNKNOWN_FLAG = "(unknown)"


class Tally:
    """One number, which whoever counts often raises itself; `told` is how much of it `changes` has returned."""

    __slots__ = ("count", "told")

    def __init__(self) -> None:
        self.count = 0
        self.told = 0


class Answered(NamedTuple):
    """A way in which a flag was answered."""

    flag: str
    active: bool
    reason: Reason
    variant: str
    rule: str | None


class EvaluationCounts(Collector):
    """Numbers of answers by flag and how it was answered; flags that the app does not have share one name."""

    def __init__(self) -> None:
        self.unknown = 0
        self._tallies: dict[Answered, Tally] = {}

    def tally(self, flag: str, decision: Decision) -> Tally:
        """Return where such answers to a known flag are counted, always the same."""
        key = Answered(flag, decision.active, decision.reason, decision.variant, decision.rule)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally()
        return tally

    def items(self) -> Iterator[tuple[Answered, int]]:
        """Yield how flags were answered, and how often since the start."""
        for answered, tally in self._tallies.items():
            if tally.count:
                yield answered, tally.count

    def changes(self) -> list[tuple[Answered, int]]:
        """Return how flags were answered since the last call, and how often."""
        changed: list[tuple[Answered, int]] = []
        for answered, tally in self._tallies.items():
            count = tally.count
            if count != tally.told:
                changed.append((answered, count - tally.told))
                tally.told = count
        return changed

    def collect(self) -> Iterator[Metric]:
        """Return the counts as Prometheus has them."""
        family = CounterMetricFamily(
            "tailslide_sidecar_evaluations",
            "Flags answered, by flag, by whether the variant was another than the off one, by variant and by reason",
            labels=["flag", "active", "variant", "reason"],
        )
        counts: Counter[tuple[str, bool, str, Reason]] = Counter()
        for answered, count in self.items():
            counts[answered.flag, answered.active, answered.variant, answered.reason] += count
        for (flag, active, variant, reason), count in counts.items():
            family.add_metric([flag, _boolean(active), variant, reason.lower()], count)
        if self.unknown:
            family.add_metric([UNKNOWN_FLAG, _boolean(False), "", Reason.FLAG_NOT_FOUND.lower()], self.unknown)
        yield family

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the labels are not known beforehand."""
        return []


def _boolean(value: bool) -> str:
    return "true" if value else "false"
