"""Errors of one flag or one app, which must not affect the others: each is counted, and logged now and then."""

import time
from collections.abc import Callable

import structlog

from tailslide_aerobat.metrics import Metrics
from tailslide_core.naming import FlagId

log = structlog.get_logger()

TELL_EVERY_S = 60.0
"""The same trouble of the same flag is logged at most once in this time."""
REMEMBERED = 10_000
"""Troubles that are told of within that time; a log with more of them says nothing more."""


class Troubles:
    """Counts and tells; what is done about a trouble is the business of whoever has it."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: monotonic, in seconds."""
        self._metrics = metrics
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self._tidied_at = clock()

    def failed(self, flag_id: FlagId, error: Exception) -> None:
        """Note an unexpected error, met while one flag was read, judged or written."""
        self._metrics.flag_errors.inc()
        if self._is_due("flag_failed", str(flag_id)):
            log.error("flag_failed", flag=str(flag_id), error=str(error) or type(error).__name__, exc_info=error)

    def samples_refused(self, flag_id: FlagId, samples: int) -> None:
        """Note that some samples in the series of a flag are not counts."""
        self._metrics.refused_samples.inc(samples)
        if self._is_due("samples_refused", str(flag_id)):
            log.warning("samples_refused", flag=str(flag_id), samples=samples, expected="integers from 0 to 2^53")

    def no_series(self, flag_id: FlagId) -> None:
        """Note that a key with the name of a series of this flag is not a series."""
        self._metrics.refused_keys.inc()
        if self._is_due("series_refused", str(flag_id)):
            log.warning("series_refused", flag=str(flag_id), todo="delete the keys of the flag that are no time series")

    def no_marks(self, app: str, problem: str) -> None:
        """Note that the marks of an app, the sets that say which flags are counted, cannot be read."""
        self._metrics.refused_keys.inc()
        if self._is_due("marks_refused", app):
            log.warning("marks_refused", app=app, problem=problem, todo="delete the key; sidecars make it again")

    def _is_due(self, event: str, subject: str) -> bool:
        now = self._clock()
        told = self._told.get((event, subject))
        if told is not None and now - told < TELL_EVERY_S:
            return False
        if len(self._told) >= REMEMBERED:
            if now - self._tidied_at < TELL_EVERY_S:
                return False
            self._tidied_at = now
            self._told = {key: at for key, at in self._told.items() if now - at < TELL_EVERY_S}
        self._told[event, subject] = now
        return True
