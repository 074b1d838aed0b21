"""How things are called on the wire: keys of apps and flags, buckets, subjects, time series.

Every name that two processes must agree on is here and nowhere else. Reading and writing under these names is the
business of each process.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown

RULESETS_BUCKET = "rulesets"
CIRCUITS_BUCKET = "circuits"
LEASES_BUCKET = "leases"
EVENTS_STREAM = "events"
EVENTS_SUBJECTS = "events.>"

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
KEY_RULE = "1 to 63 characters of a-z, 0-9, '-' and '_', the first a letter or a digit"


def is_key(text: str) -> bool:
    """Whether `text` may be the key of an app or a flag."""
    return _KEY.fullmatch(text) is not None


def check_key(field: str, text: object) -> str:
    """Return `text` when it may be the key of an app or a flag; raise `ContractError` on `field` otherwise."""
    if not isinstance(text, str) or not is_key(text):
        raise ContractError(field, f"expected {KEY_RULE}, got {shown(text, 80)}")
    return text


class FlagId(NamedTuple):
    """A flag of an app; its text, `<app>.<flag>`, is the key in both buckets.

    A tuple, since Aerobat looks thousands up with each tick, and a tuple's hash costs a quarter of a dataclass's.
    """

    app: str
    flag: str

    def __str__(self) -> str:
        return f"{self.app}.{self.flag}"

    @classmethod
    def parse(cls, text: str) -> "FlagId":
        """Split `<app>.<flag>`; raise `ContractError` when it is not of that form, as the key of a mark is not."""
        app, dot, flag = text.partition(".")
        if not dot:
            raise ContractError("key", f"expected <app>.<flag>, got {shown(text, 80)}")
        return cls(check_key("app", app), check_key("flag", flag))


def bucket_stream(bucket: str) -> str:
    """Return the stream behind a KV bucket (NATS ADR-8)."""
    return f"KV_{bucket}"


def bucket_subject(bucket: str, key: str) -> str:
    """Return the subject of a key, or of a wildcard over keys, in a KV bucket (NATS ADR-8)."""
    return f"$KV.{bucket}.{key}"


def app_keys(app: str) -> str:
    """Return the wildcard over all flags of an app in a bucket."""
    return f"{app}.>"


_MARK = "_published"
"""Where a flag's key would be; no flag can have it, since keys of flags do not begin with `_`."""


def mark_key(app: str) -> str:
    """Return the key, in the bucket of rulesets, of Tower's mark that an app is published in full."""
    return f"{app}.{_MARK}"


def app_of_mark(key: str) -> str | None:
    """Return the app whose mark is under this key of the bucket of rulesets; None for any other key."""
    app, _, rest = key.partition(".")
    return app if rest == _MARK and is_key(app) else None


CLAIM_KEY = "_tower"
"""The key, in the bucket of rulesets, of Towers' record of which database fills it. No app's filter covers it."""


def is_reserved(key: str) -> bool:
    """Whether a part of a bucket's key begins with `_`: such keys are Tailslide's own, and no flag's.

    A reader leaves alone those that it does not know; another version of Tailslide may.
    """
    return any(part.startswith("_") for part in key.split("."))


_AEROBATS = "aerobat."


def lease_key(worker: str) -> str:
    """Return the key, in the bucket of leases, of the Aerobat with this id."""
    return f"{_AEROBATS}{worker}"


def worker_of_lease(key: str) -> str | None:
    """Return the Aerobat whose lease is under this key of the bucket of leases; None for any other key."""
    worker = key.removeprefix(_AEROBATS)
    return worker if worker != key and is_key(worker) else None


def event_subject(flag_id: FlagId) -> str:
    """Return the subject under which transitions of this flag's circuit are published."""
    return f"events.circuit.{flag_id}"


def event_message_id(flag_id: FlagId, generation: int, since_ms: int) -> str:
    """Return the id by which JetStream drops a transition that was already published.

    `since_ms` is that of the circuit after it: generations begin anew when the bucket of circuits was lost.
    """
    return f"{flag_id}.{generation}.{since_ms}"


class Metric:
    """Names of the metrics that outcomes are counted under, one time series each."""

    SUCCESS = "success"
    FAILURE = "failure"
    SLOW = "slow"
    LATENCY_PREFIX = "latency_le_"


JUDGED_METRICS = (Metric.SUCCESS, Metric.FAILURE, Metric.SLOW)
"""What Aerobat reads, in the order in which it does; the latency buckets are for graphs."""


def series_key(flag_id: FlagId, metric: str) -> str:
    """Return the key of a time series; the braces keep all series of a flag on one Redis Cluster node."""
    return f"ts:{{{flag_id.app}:{flag_id.flag}}}:{metric}"


def series_labels(flag_id: FlagId, metric: str) -> dict[str, str]:
    """Return the labels by which a series is found."""
    return {"app": flag_id.app, "flag": flag_id.flag, "metric": metric}


def busy_key(app: str) -> str:
    """Return the key of the sorted set of an app's flags that says when, by the server's clock, each was last counted.

    Its members are keys of flags, its scores Unix milliseconds. A flag is noted just before its counts are written, so
    that who reads it never misses any.
    """
    return f"ts:{{{app}}}:busy"


def late_key(app: str) -> str:
    """Return the key of the like set of the flags of which something was counted at an earlier time, after an outage.

    A flag is noted just after its counts were written.
    """
    return f"ts:{{{app}}}:late"


RAW_RETENTION_MS = 3_600_000
"""How long single flushes are kept."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """A coarser copy of each series: sums over `bucket_ms`, kept for `retention_ms`.

    Its key is the raw one with `:<label>` behind it; it has one label more, `resolution`, by which readers of raw
    series (`resolution=`, the label being absent) leave it out.
    """

    label: str
    bucket_ms: int
    retention_ms: int


RESOLUTIONS = (Resolution("10s", 10_000, 86_400_000), Resolution("1m", 60_000, 30 * 86_400_000))
