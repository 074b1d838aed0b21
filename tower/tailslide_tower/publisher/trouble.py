"""What goes wrong for a while: how often it is tried again, and how often it is told."""

import random
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
REMIND_EVERY_S = 60.0


class Trouble:
    """Something that fails for a while: logged once when it begins and once when it is over, tried less and less."""

    def __init__(self, what: str, count: Callable[[], None]) -> None:
        self._what = what
        self._count = count
        self._backoff_s = FIRST_BACKOFF_S
        self._lasts = False

    def failed(self, error: Exception) -> float:
        """Note a failure and return for how many seconds to wait."""
        self._count()
        if not self._lasts:
            log.warning(self._what, error=str(error))
            self._lasts = True
        delay_s = self._backoff_s * random.uniform(0.5, 1.0)  # noqa: S311 # jitter, no secret
        self._backoff_s = min(MAX_BACKOFF_S, self._backoff_s * 2)
        return delay_s

    def over(self) -> None:
        """Note a success."""
        if self._lasts:
            log.info("publishing_goes_on", after=self._what)
            self._lasts = False
        self._backoff_s = FIRST_BACKOFF_S


class Reminder:
    """Says that something is wrong which only a person can mend: at once, then again and again while it lasts."""

    def __init__(self, event: str, over: str) -> None:
        self._event = event
        self._over = over
        self._said: object = None
        self._said_at = 0.0

    def tell(self, what: object, **fields: object) -> None:
        """Log an error with these fields, unless one of the same `what` was logged less than a minute ago."""
        now = time.monotonic()
        if what != self._said or now - self._said_at >= REMIND_EVERY_S:
            log.error(self._event, **fields)
            self._said, self._said_at = what, now

    def over(self) -> None:
        """Log that it is over, if it was."""
        if self._said is not None:
            log.info(self._over)
            self._said = None
