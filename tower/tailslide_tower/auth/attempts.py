"""How often one may try to log in, and how often wrong API tokens are answered for. Pure; times are in seconds.

In the memory of each Tower: an attacker has as many tries as there are Towers, times these numbers, and an attack
writes nothing to the database. Each limit lets some tries through at once, and then one in each interval, so whatever
is refused is let in again by waiting, and nobody is locked out for good.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

MAX_KEYS = 100_000
"""So many accounts, addresses or pairs are remembered by a limit; beyond that the one seen longest ago is forgotten."""


class Limit:
    """At most `burst` tries at once and then one in each `interval_s`, for each key.

    The generic cell rate algorithm (ITU-T I.371, annex A), as HTTP gateways have it, too.
    """

    def __init__(self, burst: int, interval_s: float, max_keys: int = MAX_KEYS) -> None:
        self.burst = burst
        self.interval_s = interval_s
        self._max_keys = max_keys
        # When all tries of a key would have been paid for; a key that is in the past is as good as unknown.
        self._paid_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._paid_at)

    def wait_s(self, key: str, now_s: float) -> float:
        """Return how long until a try is let through; 0 when it is now."""
        return max(0.0, self._paid_at.get(key, now_s) - now_s - (self.burst - 1) * self.interval_s)

    def take(self, key: str, now_s: float) -> None:
        """Count a try."""
        self._paid_at[key] = max(self._paid_at.get(key, now_s), now_s) + self.interval_s
        self._paid_at.move_to_end(key)
        while self._paid_at and (len(self) > self._max_keys or next(iter(self._paid_at.values())) <= now_s):
            self._paid_at.popitem(last=False)

    def give_back(self, key: str) -> None:
        """Take back a try that was counted before it was known to be rightful."""
        if key in self._paid_at:
            self._paid_at[key] -= self.interval_s

    def forget(self, key: str) -> None:
        """Forget all tries of a key."""
        self._paid_at.pop(key, None)


class LimitedBy(StrEnum):
    """Which limit stands against a try."""

    PAIR = "pair"
    ADDRESS = "address"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Refused:
    """A try that is not to be made now."""

    by: LimitedBy
    wait_s: float

    @property
    def retry_after_s(self) -> int:
        """Return whole seconds, at least one."""
        return max(1, math.ceil(self.wait_s))


class LoginAttempts:
    """The limits of logging in. Accounts are named as people name them, whether there is such an account or not."""

    def __init__(self) -> None:
        self._pairs = Limit(burst=5, interval_s=60.0)
        self._addresses = Limit(burst=30, interval_s=10.0)
        self._accounts = Limit(burst=20, interval_s=60.0)

    def begin(self, account: str, address: str, now_s: float, *, is_known_address: bool = False) -> Refused | None:
        """Count a try before its password is looked at, so that many at once do not slip through; or refuse it.

        An address that the account has logged in from before is not held by what others do to the account: only by
        what itself has tried.
        """
        own = max(
            Refused(LimitedBy.PAIR, self._pairs.wait_s(_pair(account, address), now_s)),
            Refused(LimitedBy.ADDRESS, self._addresses.wait_s(address, now_s)),
            key=lambda refused: refused.wait_s,
        )
        if own.wait_s > 0.0:
            return own
        by_account = Refused(LimitedBy.ACCOUNT, self._accounts.wait_s(account, now_s))
        if by_account.wait_s > 0.0 and not is_known_address:
            return by_account
        self._pairs.take(_pair(account, address), now_s)
        self._addresses.take(address, now_s)
        self._accounts.take(account, now_s)
        return None

    def succeeded(self, account: str, address: str) -> None:
        """Take back what a rightful try has cost, and forget the mistyped ones before it."""
        self._pairs.forget(_pair(account, address))
        self._addresses.give_back(address)
        self._accounts.give_back(account)

    def withdraw(self, account: str, address: str) -> None:
        """Take back a try that was not decided."""
        self._pairs.give_back(_pair(account, address))
        self._addresses.give_back(address)
        self._accounts.give_back(account)


def _pair(account: str, address: str) -> str:
    return f"{address} {account}"


class FailureReports:
    """Which failures are told in the log: few of many, so that an attack cannot fill it.

    Of one key the first is told, then the tenth, the hundredth and so on, each with the number since the last that was
    told; and of all keys together at most what `Limit(burst, interval_s)` lets through.
    """

    WINDOW_S = 3600.0

    def __init__(self, burst: int = 60, interval_s: float = 30.0, max_keys: int = MAX_KEYS) -> None:
        self._overall = Limit(burst, interval_s)
        self._max_keys = max_keys
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def to_tell(self, key: str, now_s: float) -> int | None:
        """Count a failure; return the number of failures to tell now, None to tell nothing."""
        count = self._counts.get(key)
        if count is None or now_s - count.since_s >= self.WINDOW_S:
            count = self._counts[key] = _Count(now_s, untold=0 if count is None else count.untold)
            self._counts.move_to_end(key)
        while len(self._counts) > self._max_keys:
            self._counts.popitem(last=False)
        count.failures += 1
        count.untold += 1
        if count.failures < count.tell_at or self._overall.wait_s("", now_s) > 0.0:
            return None
        self._overall.take("", now_s)
        while count.tell_at <= count.failures:
            count.tell_at *= 10
        untold, count.untold = count.untold, 0
        return untold


@dataclass(slots=True)
class _Count:
    since_s: float
    failures: int = 0
    tell_at: int = 1
    untold: int = 0
