"""A histogram for where prometheus_client's own would cost as much as what it measures.

Not safe for threads, as nothing on the event loop has to be.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Buckets:
    """Durations under one label: how many in each bucket, and their sum, which whoever counts often raises itself."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = list(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.sum += seconds

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Tell Prometheus, the buckets adding up."""
        buckets, total = [], 0
        for bound, count in zip([*map(str, self._bounds), "+Inf"], self.counts, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric(labels, buckets, self.sum)


class LatencyHistogram(Collector):
    """Counts durations in buckets; `bounds` are their upper bounds in seconds, ascending, without infinity.

    With a `label`, durations are observed by the `child` of one of its values.
    """

    def __init__(self, name: str, text: str, bounds: Sequence[float], label: str | None = None) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._label = label
        self._children = {} if label is not None else {"": Buckets(bounds)}

    def child(self, value: str) -> Buckets:
        """Return where durations under one value of the label are counted."""
        buckets = self._children.get(value)
        if buckets is None:
            buckets = self._children[value] = Buckets(self._bounds)
        return buckets

    def observe(self, seconds: float) -> None:
        """Count one, where there is no label."""
        self._children[""].observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """Return it as Prometheus has it."""
        family = HistogramMetricFamily(self._name, self._text, labels=[] if self._label is None else [self._label])
        for value, buckets in self._children.items():
            buckets.add_to(family, [] if self._label is None else [value])
        yield family

    def describe(self) -> Iterable[Metric]:
        """Return its name, so that nothing else takes it."""
        return [HistogramMetricFamily(self._name, self._text)]
