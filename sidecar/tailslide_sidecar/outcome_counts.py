"""What became of the calls that circuits are judged by, and of those to fallbacks, for Prometheus: with their causes.

Whoever adds an outcome to the `outcome_buffer` counts it here in the same breath: what is graphed is what Aerobat sees.
Bounded: a few causes for each flag that was called or reported, feature and fallback.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from tailslide_core.outcomes import CallEnd, Outcome

NO_CAUSE = "none"
"""The cause of a success that the proxy has seen."""
REPORTED = "reported"
"""The cause of what a client has reported: it says whether a call failed, not how."""
_USUAL = ("5xx", CallEnd.REFUSED.value, CallEnd.BROKEN.value, CallEnd.TIMED_OUT.value)
"""Told from the first call on, with 0: of a series that begins with its first failure, `rate` would miss that one."""


class Target(StrEnum):
    """Who was to answer a flagged call."""

    FEATURE = "feature"
    FALLBACK = "fallback"


class TargetOutcomes:
    """The outcomes of one flag's calls to one target; whoever counts often raises `successes` and `slow` itself."""

    __slots__ = ("failures", "reported_successes", "slow", "successes")

    def __init__(self) -> None:
        self.successes = 0
        self.slow = 0
        """Of all, whatever their outcome."""
        self.reported_successes = 0
        self.failures = dict.fromkeys(_USUAL, 0)
        """By cause."""

    def fail(self, cause: str, count: int = 1) -> None:
        """Count failures."""
        self.failures[cause] = self.failures.get(cause, 0) + count

    def report(self, outcome: Outcome, count: int) -> None:
        """Count what a client has reported."""
        if outcome is Outcome.SUCCESS:
            self.reported_successes += count
        else:
            self.fail(REPORTED, count)


class OutcomeCounts(Collector):
    """Those of all flags of one app."""

    def __init__(self, app: str) -> None:
        self._app = app
        self._by_target: dict[tuple[str, Target], TargetOutcomes] = {}

    def of(self, flag: str, target: Target) -> TargetOutcomes:
        """Return where the outcomes of a flag's calls to a target are counted, always the same."""
        counted = self._by_target.get((flag, target))
        if counted is None:
            counted = self._by_target[flag, target] = TargetOutcomes()
        return counted

    def collect(self) -> Iterator[Metric]:
        """Return the counts as Prometheus has them."""
        outcomes = CounterMetricFamily(
            "tailslide_sidecar_outcomes",
            "Calls of flagged routes and reported ones, as they count for their circuit (target feature) or beside it "
            "(fallback), by outcome and cause",
            labels=["app", "flag", "target", "outcome", "cause"],
        )
        slow = CounterMetricFamily(
            "tailslide_sidecar_outcomes_slow",
            "Of these calls, those that took longer than the flag's slow_call_ms, whatever their outcome",
            labels=["app", "flag", "target"],
        )
        for (flag, target), counted in self._by_target.items():
            of = [self._app, flag, target.value]
            outcomes.add_metric([*of, Outcome.SUCCESS.value, NO_CAUSE], counted.successes)
            if counted.reported_successes:
                outcomes.add_metric([*of, Outcome.SUCCESS.value, REPORTED], counted.reported_successes)
            for cause, count in counted.failures.items():
                outcomes.add_metric([*of, Outcome.FAILURE.value, cause], count)
            slow.add_metric(of, counted.slow)
        yield from (outcomes, slow)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the labels are not known beforehand."""
        return []
