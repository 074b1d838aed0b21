"""The rule of `circuit.local_guard`: after so many calls in a row without a connection, none for a while.

Pure: the time is an argument. `guarded_flags` knows which flags have a guard and reports it; `calls` decides what
becomes of the calls. Why so: `docs/decisions/0013-the-local-guard.md`.
"""

from tailslide_core.outcomes import CallEnd
from tailslide_core.ruleset import LocalGuard


def has_failed_to_connect(end: CallEnd, connected: bool) -> bool:
    """Whether a call to a feature has ended without a connection, or lost it before the answer had begun.

    `connected` says whether the call had a connection when it ended: a time that is up is none of the connection's
    otherwise.
    """
    return end is CallEnd.REFUSED or end is CallEnd.BROKEN or (end is CallEnd.TIMED_OUT and not connected)


class Guard:
    """Counts the calls of one stretch of time, and strikes once at most.

    A stretch begins when a ruleset or a circuit value of the flag arrives, or when the guard before has let go. Calls
    speak to the guard of the stretch that they began in, so one that was under way when it struck moves nothing later.
    """

    __slots__ = ("failures", "settings", "struck_at_s")

    def __init__(self, settings: LocalGuard) -> None:
        self.settings = settings
        self.failures = 0
        """Calls in a row that found no connection; what a guard that has struck has counted until then."""
        self.struck_at_s: float | None = None
        """When it struck, by a clock that never goes back; None until then."""

    def connected(self) -> None:
        """Take the end of a call that had a connection."""
        if self.struck_at_s is None:
            self.failures = 0

    def failed(self, now_s: float) -> bool:
        """Take the end of a call that failed to connect; say whether the guard strikes with it."""
        if self.struck_at_s is not None:
            return False
        self.failures += 1
        if self.failures < self.settings.consecutive_failures:
            return False
        self.struck_at_s = now_s
        return True

    def held_for_ms(self, now_s: float) -> int:
        """Return for how long it has kept calls away, or had until it let go; 0 before it has struck."""
        if self.struck_at_s is None:
            return 0
        return min(round((now_s - self.struck_at_s) * 1000), self.settings.max_ms)

    def remaining_ms(self, now_s: float) -> int:
        """Return for how long it goes on keeping calls away; 0 when it does not."""
        return 0 if self.struck_at_s is None else self.settings.max_ms - self.held_for_ms(now_s)

    def is_over(self, now_s: float) -> bool:
        """Whether it has struck and let go again."""
        return self.struck_at_s is not None and (now_s - self.struck_at_s) * 1000 >= self.settings.max_ms
