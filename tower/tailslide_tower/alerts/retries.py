"""When a delivery that failed is tried again, and when it is given up. Pure."""

import email.utils
import re
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Ever longer pauses, for a day: about ten attempts in the first hour and a half, then one an hour.

    The last attempt is at the end of that day. Then a delivery has failed, and a person may send it again.
    """

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=1)
    lasting: timedelta = timedelta(days=1)
    """How long a delivery is tried, from its making or from when a person sent it again."""
    jitter: float = 0.2
    """By which part of it a pause is longer or shorter, so that what failed together does not come back together."""

    def next_at(
        self, attempts: int, now: datetime, until: datetime, chance: float, retry_after: timedelta | None = None
    ) -> datetime | None:
        """Return when to try again after `attempts` failures (1 and up); None when it is given up.

        `until`: when the day is over. `chance`: a random number of 0 to 1. `retry_after`: what the receiver has asked
        for; it is never asked sooner.
        """
        if now >= until:
            return None
        pause = min(self.longest, self.first * (1 << min(attempts - 1, 30))) * (1 + self.jitter * (2 * chance - 1))
        return min(until, now + max(pause, retry_after or pause))


MAX_RETRY_AFTER = timedelta(days=1)

_SECONDS = re.compile(r"[0-9]{1,9}")


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return how long a `Retry-After` asks us to wait (RFC 9110, section 10.2.3), at most a day; None if it is none.

    It is a number of seconds or a date.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        wanted = timedelta(seconds=int(text))
    else:
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):  # as the parser does on numbers that are too large
            return None
        wanted = moment - now if moment.tzinfo is not None else timedelta(0)
    return min(max(wanted, timedelta(0)), MAX_RETRY_AFTER)
