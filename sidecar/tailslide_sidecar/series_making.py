"""How a time series is made, with its labels and its coarser copies. Pure: commands, and what answers mean.

When a series is made is `timeseries`. The rules that fill the copies are Aerobat's to make: of the two keys of such a
rule Redis checks only one against a user's rights, so that who may make rules may write anywhere.
"""

from collections.abc import Iterable, Iterator

from tailslide_core.naming import (
    RAW_RETENTION_MS,
    FlagId,
    new_series,
    new_series_key,
    resolutions_of,
    series_key,
    series_labels,
)
from tailslide_sidecar.marks import Command

# RedisTimeSeries has no error codes, only these texts.
_ALREADY_THERE = "already exists"
# Of keys that are missing, and of those that are something else: whoever writes there hears of it.
_NO_SERIES = ("the key does not exist", "is not a tsdb key", "wrong kind of value")
_BEHIND = "older than retention"


def making(flag_id: FlagId, metric: str) -> Iterator[Command]:
    """Yield the commands that make a series what it has to be, whether it is there already or not.

    Those of them that find their work done answer with an error, see `is_done`.
    """
    raw = series_key(flag_id, metric)
    labels: Command = tuple(part for pair in series_labels(flag_id, metric).items() for part in pair)
    wanted: Command = ("RETENTION", RAW_RETENTION_MS, "DUPLICATE_POLICY", "SUM", "LABELS", *labels)
    yield ("TS.CREATE", raw, *wanted)
    # Somebody else may have made it without labels, or with a policy that refuses two flushes of one millisecond.
    yield ("TS.ALTER", raw, *wanted)
    for resolution in resolutions_of(metric):
        copy = f"{raw}:{resolution.label}"
        yield (
            "TS.CREATE", copy, "RETENTION", resolution.retention_ms, "DUPLICATE_POLICY", "SUM",
            "LABELS", *labels, "resolution", resolution.label,
        )  # fmt: skip # one line of a Redis command is easier to read than twelve


def noting(app: str, series: Iterable[tuple[str, str]]) -> Command:
    """Return the command that tells Aerobat of series, given by flag and metric, whose rules may be missing."""
    return ("SADD", new_series_key(app), *(new_series(flag, metric) for flag, metric in series))


def is_done(error: Exception) -> bool:
    """Whether the answer to one of `making`'s commands means that somebody was quicker, or has the name."""
    return any(text in str(error).lower() for text in (_ALREADY_THERE, *_NO_SERIES))


def is_behind(error: Exception) -> bool:
    """Whether a sample was refused for its time: the series has one that is later by more than it keeps."""
    return _BEHIND in str(error).lower()


def looking_at(flag_id: FlagId, metric: str) -> tuple[Command, ...]:
    """Return the commands that ask for the last sample of a series and the time.

    Who asks is on watch, so that `taking_away` does nothing if the series changes meanwhile.
    """
    raw = series_key(flag_id, metric)
    return (("WATCH", raw), ("TS.GET", raw), ("TIME",))


def is_far_ahead(last_ms: int, at_ms: int) -> bool:
    """Whether the last sample of a series is too late for one at `at_ms` to be taken."""
    return last_ms - at_ms > RAW_RETENTION_MS


def taking_away(flag_id: FlagId, metric: str) -> tuple[Command, ...]:
    """Return the commands that delete a series, with its copies, unless it has changed since it was looked at.

    The server's clock was ahead once, by more than the hour that raw samples are kept. Until it gets there again
    nothing could be counted; and what was counted then has no right time.
    """
    raw = series_key(flag_id, metric)
    copies = (f"{raw}:{resolution.label}" for resolution in resolutions_of(metric))
    return (("MULTI",), ("DEL", raw, *copies), ("EXEC",))
