"""What became of a call to a feature: success, failure or neither, slow or not, and its latency bucket.

Counting, buffering and writing of outcomes is the sidecar's.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.naming import Metric


class Outcome(StrEnum):
    """The verdict on one call."""

    SUCCESS = "success"
    FAILURE = "failure"


class CallEnd(StrEnum):
    """How a proxied call to a feature ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """No connection could be made."""
    BROKEN = "broken"
    """The connection ended, or what came on it was no HTTP, before the answer had begun."""
    CUT_OFF = "cut_off"
    """The answer had begun, and broke off."""
    TIMED_OUT = "timed_out"
    UPGRADED = "upgraded"
    """The connection speaks another protocol from here on, and what goes through it is nobody's failure."""
    NO_CAPACITY = "no_capacity"
    """The sidecar's own machine had no means for another connection; says nothing about the feature."""
    CLIENT_GONE = "client_gone"
    """The caller went away or sent nonsense; says nothing about the feature."""


_LONGEST_PATTERN = len("500-504")
_CODE = re.compile(r"[1-5][0-9]{2}")
_CLASS = re.compile(r"([1-5])xx")
_RANGE = re.compile(r"([1-5][0-9]{2})-([1-5][0-9]{2})")


@dataclass(frozen=True, slots=True)
class StatusSet:
    """A set of HTTP statuses written as codes (`429`), ranges (`500-504`, both ends in) and classes (`5xx`)."""

    patterns: tuple[str, ...]
    codes: frozenset[int] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, patterns: Iterable[object]) -> "StatusSet":
        """Read patterns, each a string or an integer; raise `ContractError` with the index of the bad one."""
        texts: list[str] = []
        for index, pattern in enumerate(patterns):
            text = str(pattern) if isinstance(pattern, int) and not isinstance(pattern, bool) else pattern
            if not isinstance(text, str) or len(text) > _LONGEST_PATTERN or _codes_of(text) is None:
                raise ContractError(
                    f"[{index}]",
                    f"expected a status (429), a range (500-504) or a class (5xx), got {shown(pattern, 40)}",
                )
            texts.append(text)
        return _shared_set(tuple(texts))

    def __contains__(self, status: object) -> bool:
        return status in self.codes


@lru_cache(maxsize=1024)
def _shared_set(patterns: tuple[str, ...]) -> StatusSet:
    """Return the same object for the same patterns: thousands of flags have one of a few, and a class is 100 codes."""
    return StatusSet(patterns, frozenset(code for pattern in patterns for code in _codes_of(pattern) or ()))


@lru_cache(maxsize=1024)
def _codes_of(pattern: str) -> range | None:
    if _CODE.fullmatch(pattern):
        return range(int(pattern), int(pattern) + 1)
    if match := _CLASS.fullmatch(pattern):
        first = int(match[1]) * 100
        return range(first, first + 100)
    if match := _RANGE.fullmatch(pattern):
        low, high = int(match[1]), int(match[2])
        return range(low, high + 1) if low <= high else None
    return None


def classify(end: CallEnd, status: int | None, failure_statuses: StatusSet) -> Outcome | None:
    """Judge a call to a feature by how it ended and by the status of its answer, if there was one.

    A failure is a status in `failure_statuses`, a refused or broken connection, or a timeout. None when the call
    says nothing about the feature, which is so for whatever a client does to itself.
    """
    match end:
        case CallEnd.CLIENT_GONE | CallEnd.NO_CAPACITY:
            return None
        case CallEnd.ANSWERED | CallEnd.UPGRADED:
            return Outcome.FAILURE if status in failure_statuses else Outcome.SUCCESS
        case CallEnd.REFUSED | CallEnd.BROKEN | CallEnd.CUT_OFF | CallEnd.TIMED_OUT:
            return Outcome.FAILURE


_STATUS_CLASSES = ("", "1xx", "2xx", "3xx", "4xx", "5xx")
_WITH_STATUS = (CallEnd.ANSWERED, CallEnd.UPGRADED)


def failure_cause(end: CallEnd, status: int | None) -> str:
    """Say why a call that `classify` calls a failure is one: the class of its status (`5xx`), or how it ended."""
    if status is not None and end in _WITH_STATUS:
        return _STATUS_CLASSES[status // 100]
    return str(end)


LATENCY_BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 60000)
"""Upper bounds of the latency buckets, 1-2-5 spaced, so that the percentiles of many sidecars add up."""

LATENCY_METRICS = tuple(f"{Metric.LATENCY_PREFIX}{bound}" for bound in (*LATENCY_BOUNDS_MS, "inf"))
"""The metric of each bucket: at the place that `bisect_left` finds for a latency in the bounds."""


def latency_metric(latency_ms: float) -> str:
    """Return the metric that counts a call of this latency.

    `latency_le_50` counts what is at most 50 ms and more than the bound before it, 20 ms: each call is in one bucket.
    """
    return LATENCY_METRICS[bisect_left(LATENCY_BOUNDS_MS, latency_ms)]


def is_slow(latency_ms: float, slow_call_ms: int | None) -> bool:
    """Whether a call counts as slow: it took longer than `slow_call_ms`; never without such a setting."""
    return slow_call_ms is not None and latency_ms > slow_call_ms
