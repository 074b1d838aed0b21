"""Evaluations by variant and by rule on their way to the time series, for graphs.

Every ten seconds, the counts since the last write are written with the time of the write. While Redis is away the
counts add up, and are written as one sum afterwards: a graph loses when they happened, but not how many there were.
`flusher` knows when Redis can be written to, and writes these counts on its connection.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import structlog

from tailslide_core.naming import EVALUATIONS_EVERY_MS, Metric
from tailslide_sidecar.outcome_buffer import Counts
from tailslide_sidecar.timeseries import Series, SeriesUnavailableError

EVERY_S = EVALUATIONS_EVERY_MS / 1000
MOST_SERIES = 10_000
"""Of one sidecar, from its start to its end; the names of variants and rules come from rulesets."""
AT_ONCE = 500
"""Written with one flush: outcomes wait for that, and so does everybody else's use of Redis."""

log = structlog.get_logger()


class Answered(Protocol):
    """A way in which a flag was answered."""

    @property
    def flag(self) -> str:
        """The flag's key."""

    @property
    def variant(self) -> str:
        """What it gave."""

    @property
    def rule(self) -> str | None:
        """The name of the rule that matched first; None without one."""


class Evaluations(Protocol):
    """Where evaluations are counted."""

    def changes(self) -> Iterable[tuple[Answered, int]]:
        """Return how flags were answered since the last call, and how often."""


class EvaluationSeries:
    """Writes how often each variant was given, and how often each rule matched."""

    def __init__(
        self,
        evaluations: Evaluations,
        series: Series,
        *,
        dropped: Callable[[int], None],
        most: int = MOST_SERIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`dropped` gets the number of evaluations without a series: there are `most` already, or a key is in the way.

        `clock` gives seconds.
        """
        self._evaluations = evaluations
        self._series = series
        self._dropped = dropped
        self._most = most
        self._clock = clock
        self._due_s = clock() + EVERY_S
        self._pending: Counts = {}
        self._known: set[tuple[str, str]] = set()
        self._is_full = False

    async def write_due(self) -> None:
        """Write a part of what is due now, if anything is; the rest is due at once.

        Raises `SeriesUnavailableError`; what was not written is kept.
        """
        now_s = self._clock()
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self._collect()
        if self._pending:
            await self._write_some()

    async def write_rest(self) -> None:
        """Write all that was counted, due or not; raises as `write_due` does."""
        self._collect()
        while self._pending:
            await self._write_some()

    async def _write_some(self) -> None:
        some = dict(list(self._pending.items())[:AT_ONCE])
        for key in some:
            del self._pending[key]
        try:
            given_up = await self._series.add(some, None)
        except SeriesUnavailableError as error:
            for key, count in error.unwritten.items():
                self._pending[key] = self._pending.get(key, 0) + count
            raise
        if given_up:
            self._dropped(given_up)

    def _collect(self) -> None:
        for answered, count in self._evaluations.changes():
            for metric in _metrics(answered):
                key = (answered.flag, metric)
                if self._has_place(key):
                    self._pending[key] = self._pending.get(key, 0) + count
                else:
                    self._dropped(count)

    def _has_place(self, key: tuple[str, str]) -> bool:
        if key in self._known:
            return True
        if len(self._known) < self._most:
            self._known.add(key)
            return True
        if not self._is_full:
            self._is_full = True
            log.warning(
                "evaluations_dropped",
                message="evaluations of further variants and rules are not written, since there are too many",
                most=self._most,
            )
        return False


def _metrics(answered: Answered) -> Iterator[str]:
    yield f"{Metric.VARIANT_PREFIX}{answered.variant}"
    if answered.rule is not None:
        yield f"{Metric.RULE_PREFIX}{answered.rule}"
