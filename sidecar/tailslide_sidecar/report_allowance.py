"""How many calls clients may report of a flag: so many a second, with room for batches. Pure: the time is handed in.

The room is that of a bucket which fills up evenly and holds what comes in ten seconds.
"""

import math

BATCH_S = 10
"""A client that is within the limit on average may report so many seconds at once."""


class Allowance:
    """What is left for each flag. Only flags of the app may be asked for, so that it stays small."""

    def __init__(self, calls_per_s: int) -> None:
        self.calls_per_s = calls_per_s
        self._used: dict[str, tuple[float, float]] = {}
        """By flag: how many calls were in use at what time; what is in use goes down evenly."""

    @property
    def most(self) -> int:
        """The largest number of calls that can be reported at once."""
        return self.calls_per_s * BATCH_S

    def take(self, flag: str, calls: int, now_s: float) -> int:
        """Take an allowance for all of `calls`, at most `most`, or for none.

        Returns 0 when it was there, else in how many whole seconds it will be, if nobody else takes it.
        """
        used, at_s = self._used.get(flag, (0.0, now_s))
        used = max(used - (now_s - at_s) * self.calls_per_s, 0.0)
        over = used + calls - self.most
        if over > 0:
            return max(math.ceil(over / self.calls_per_s), 1)
        self._used[flag] = (used + calls, now_s)
        return 0
