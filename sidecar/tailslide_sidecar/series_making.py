"""How a time series is made, with its labels, its rules and its coarser copies. Pure: commands, and what answers mean.

When a series is made is `timeseries`.
"""

from collections.abc import Iterator

from tailslide_core.naming import RAW_RETENTION_MS, FlagId, resolutions_of, series_key, series_labels
from tailslide_sidecar.marks import Command

# RedisTimeSeries has no error codes, only these texts.
_ALREADY_THERE = ("already exists", "already has a src rule", "already has a destination rule")
# Of keys that are missing, and of those that are something else: whoever writes there hears of it.
_NO_SERIES = ("the key does not exist", "is not a tsdb key", "wrong kind of value")
_BEHIND = "older than retention"

_TAKE_AWAY = """
local time = redis.call('TIME')
local at = tonumber(ARGV[2]) or time[1] * 1000 + math.floor(time[2] / 1000)
local last = redis.call('TS.GET', KEYS[1])[1]
if last and last - at > tonumber(ARGV[1]) then
  redis.call('DEL', unpack(KEYS))
end
"""


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
        yield ("TS.CREATERULE", raw, copy, "AGGREGATION", "sum", resolution.bucket_ms)


def is_done(error: Exception) -> bool:
    """Whether the answer to one of `making`'s commands means that somebody was quicker, or has the name."""
    return any(text in str(error).lower() for text in (*_ALREADY_THERE, *_NO_SERIES))


def is_behind(error: Exception) -> bool:
    """Whether a sample was refused for its time: the series has one that is later by more than it keeps."""
    return _BEHIND in str(error).lower()


def taking_away(flag_id: FlagId, metric: str, at_ms: int | None) -> Command:
    """Return the command that deletes a series, with its copies, if a sample at `at_ms`, None being now, is too late.

    The server's clock was ahead once, by more than the hour that raw samples are kept. Until it gets there again
    nothing could be counted; and what was counted then has no right time.
    """
    raw = series_key(flag_id, metric)
    keys = (raw, *(f"{raw}:{resolution.label}" for resolution in resolutions_of(metric)))
    return ("EVAL", _TAKE_AWAY, len(keys), *keys, RAW_RETENTION_MS, "*" if at_ms is None else at_ms)
