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
SIDECARS_BUCKET = "sidecars"
KEYS_BUCKET = "keys"
EVENTS_STREAM = "events"
EVENTS_SUBJECTS = "events.>"
CIRCUIT_EVENTS_SUBJECTS = "events.circuit.>"
EVENTS_CONSUMER = "tower"
"""The durable consumer of the stream of events by which all Towers together read each transition."""

_APP_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
APP_KEY_RULE = "1 to 63 characters of a-z, 0-9, '-' and '_', the first a letter or a digit"

MAX_FLAG_KEY = 100
FLAG_KEY_PATTERN = r"[A-Za-z0-9-][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"
"""Keys of flags, segments and variants, whatever their length. For readers of bytes that cannot ask `is_flag_key`."""
_FLAG_KEY = re.compile(FLAG_KEY_PATTERN)
FLAG_KEY_RULE = (
    f"1 to {MAX_FLAG_KEY} characters of A-Z, a-z, 0-9, '.', '-' and '_', "
    "not beginning with '_' or '.', not ending with '.', and no two dots in a row"
)


def is_app_key(text: str) -> bool:
    """Whether `text` may be the key of an app, or the id of an Aerobat."""
    return _APP_KEY.fullmatch(text) is not None


def is_flag_key(text: str) -> bool:
    """Whether `text` may be the key of a flag, a segment or a variant.

    Such a key can be several tokens of a subject: `$KV.rulesets.<app>.a.b` is the flag `a.b`, and neither contains nor
    replaces the flag `a`. In a Redis key it stands between colons, which it has none of; in a path and as the label of
    a metric it stands as it is. What begins with `_` is ours, so no flag's key does.
    """
    return len(text) <= MAX_FLAG_KEY and _FLAG_KEY.fullmatch(text) is not None


def check_app_key(field: str, text: object) -> str:
    """Return `text` when it may be the key of an app; raise `ContractError` on `field` otherwise."""
    if not isinstance(text, str) or not is_app_key(text):
        raise ContractError(field, f"expected {APP_KEY_RULE}, got {shown(text, 80)}")
    return text


def check_flag_key(field: str, text: object) -> str:
    """Return `text` when it may be the key of a flag, a segment or a variant; raise `ContractError` otherwise."""
    if not isinstance(text, str) or not is_flag_key(text):
        raise ContractError(field, f"expected {FLAG_KEY_RULE}, got {shown(text, 80)}")
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
        """Split `<app>.<flag>` at its first dot; raise `ContractError` when it is not of that form."""
        app, dot, flag = text.partition(".")
        if not dot:
            raise ContractError("key", f"expected <app>.<flag>, got {shown(text, 80)}")
        return cls(check_app_key("app", app), check_flag_key("flag", flag))


def bucket_stream(bucket: str) -> str:
    """Return the stream behind a KV bucket (NATS ADR-8)."""
    return f"KV_{bucket}"


def bucket_subject(bucket: str, key: str) -> str:
    """Return the subject of a key, or of a wildcard over keys, in a KV bucket (NATS ADR-8)."""
    return f"$KV.{bucket}.{key}"


def app_keys(app: str) -> str:
    """Return the wildcard over all keys of an app in a bucket: its flags', its segments' and its mark."""
    return f"{app}.>"


_MARK = "_published"
"""Where a flag's key would be; no flag can have it, since keys of flags do not begin with `_`."""


def mark_key(app: str) -> str:
    """Return the key, in the bucket of rulesets, of Tower's mark that an app is published in full."""
    return f"{app}.{_MARK}"


def app_of_mark(key: str) -> str | None:
    """Return the app whose mark is under this key of the bucket of rulesets; None for any other key."""
    app, _, rest = key.partition(".")
    return app if rest == _MARK and is_app_key(app) else None


_SEGMENTS = "_segments."


class SegmentId(NamedTuple):
    """A segment of an app; its text, `<app>._segments.<segment>`, is its key in the bucket of rulesets."""

    app: str
    segment: str

    def __str__(self) -> str:
        return f"{self.app}.{_SEGMENTS}{self.segment}"


def segment_of(key: str) -> SegmentId | None:
    """Return the segment that is under this key of the bucket of rulesets; None for any other key."""
    app, _, rest = key.partition(".")
    segment = rest.removeprefix(_SEGMENTS)
    return SegmentId(app, segment) if segment != rest and is_app_key(app) and is_flag_key(segment) else None


CLAIM_KEY = "_tower"
"""The key, in the bucket of rulesets, of Towers' record of which database fills it. No app's filter covers it."""


def is_reserved(key: str) -> bool:
    """Whether a bucket's key, or what follows the app in it, begins with `_`: such keys are Tailslide's own.

    No flag has one. A reader leaves alone those that it does not know; another version of Tailslide may.
    """
    return key.startswith("_") or key.partition(".")[2].startswith("_")


_AEROBATS = "aerobat."


def lease_key(worker: str) -> str:
    """Return the key, in the bucket of leases, of the Aerobat with this id."""
    return f"{_AEROBATS}{worker}"


def worker_of_lease(key: str) -> str | None:
    """Return the Aerobat whose lease is under this key of the bucket of leases; None for any other key."""
    worker = key.removeprefix(_AEROBATS)
    return worker if worker != key and is_app_key(worker) else None


class SidecarId(NamedTuple):
    """A sidecar of an app; its text, `<app>.<instance>`, is its key in the bucket of sidecars.

    `instance` is one token that a sidecar gives itself for as long as its process lives; its form is that of an app's
    key. It is also the name of the sidecar's connections to NATS.
    """

    app: str
    instance: str

    def __str__(self) -> str:
        return f"{self.app}.{self.instance}"

    @classmethod
    def parse(cls, text: str) -> "SidecarId":
        """Split `<app>.<instance>`; raise `ContractError` when it is not of that form."""
        app, dot, instance = text.partition(".")
        if not dot:
            raise ContractError("key", f"expected <app>.<instance>, got {shown(text, 80)}")
        return cls(check_app_key("app", app), check_app_key("instance", instance))


MAX_HOST_IN_INSTANCE = 40


def instance_of(host: str, token: str) -> str:
    """Return the instance of a sidecar on a host; `token` tells it from others there, in a-z and 0-9."""
    name = _NOT_IN_INSTANCE.sub("-", host.lower()).strip("-_")[:MAX_HOST_IN_INSTANCE].rstrip("-_")
    return f"{name}-{token}" if name else token


_NOT_IN_INSTANCE = re.compile(r"[^a-z0-9_-]+")


def event_subject(flag_id: FlagId) -> str:
    """Return the subject under which transitions of this flag's circuit are published."""
    return f"events.circuit.{flag_id}"


def event_message_id(flag_id: FlagId, generation: int, since_ms: int) -> str:
    """Return the id by which JetStream drops a transition that was already published.

    `since_ms` is that of the circuit after it: generations start over when the bucket of circuits was lost.
    """
    return f"{flag_id}.{generation}.{since_ms}"


class Metric:
    """Names of the metrics that are counted, one time series each."""

    SUCCESS = "success"
    FAILURE = "failure"
    SLOW = "slow"
    LATENCY_PREFIX = "latency_le_"
    FALLBACK_SUCCESS = "fallback_success"
    FALLBACK_FAILURE = "fallback_failure"
    FALLBACK_SLOW = "fallback_slow"
    VARIANT_PREFIX = "variant:"
    """Evaluations that gave a variant, whose key follows."""
    RULE_PREFIX = "rule:"
    """Evaluations that a rule decided, whose name follows."""


JUDGED_METRICS = (Metric.SUCCESS, Metric.FAILURE, Metric.SLOW)
"""What Aerobat reads, in the order in which it does; all else is for graphs."""

_EVALUATIONS = (Metric.VARIANT_PREFIX, Metric.RULE_PREFIX)
_NOT_OF_THE_FEATURE = (*_EVALUATIONS, "fallback_")


def makes_busy(metric: str) -> bool:
    """Whether a count of this metric is about a flag's feature, so that the flag is marked as busy for Aerobat.

    A flag whose calls all go to the fallback, or that is only asked for, costs Aerobat nothing.
    """
    return not metric.startswith(_NOT_OF_THE_FEATURE)


def series_key(flag_id: FlagId, metric: str) -> str:
    """Return the key of a time series; the braces keep all series of an app on one Redis Cluster node.

    So an app's counts are written in one command, by one clock, and one pattern (`ts:{<app>}:*`) gives access to them.
    """
    return f"ts:{{{flag_id.app}}}:{flag_id.flag}:{metric}"


def series_labels(flag_id: FlagId, metric: str) -> dict[str, str]:
    """Return the labels by which a series is found; one of evaluations also has its variant's or its rule's name."""
    labels = {"app": flag_id.app, "flag": flag_id.flag, "metric": metric}
    kind, colon, name = metric.partition(":")
    return labels | {"metric": kind, kind: name} if colon else labels


def counted_key(app: str) -> str:
    """Return the key of the set in which sidecars note the flags of an app that they count.

    A flag is noted just before its counts are written. Aerobat takes the set away and keeps what was in it under
    `busy_key`, with the time.
    """
    return f"ts:{{{app}}}:counted"


def counted_late_key(app: str) -> str:
    """Return the key of the like set of the flags of which something was counted at an earlier time, after an outage.

    A flag is noted just after its counts were written. Aerobat keeps what was in it under `late_key`.
    """
    return f"ts:{{{app}}}:counted_late"


def new_series_key(app: str) -> str:
    """Return the key of the set in which sidecars note the series that they have made, for Aerobat to make their rules.

    Its members are those of `new_series`.
    """
    return f"ts:{{{app}}}:new"


MAX_NEW_SERIES = 255
"""Bytes of a member of that set; what is longer is nothing that a sidecar writes."""


def new_series(flag: str, metric: str) -> str:
    """Return how a series is noted in that set: `<flag>:<metric>`."""
    return f"{flag}:{metric}"


def parse_new_series(text: str) -> tuple[str, str] | None:
    """Return the flag and the metric of a member of that set; None for what no sidecar writes there."""
    flag, _, metric = text.partition(":")
    return (flag, metric) if metric and metric.isprintable() and is_flag_key(flag) else None


def busy_key(app: str) -> str:
    """Return the key of the sorted set of an app's flags that says when each was last found to be counted.

    Its members are keys of flags, its scores Unix milliseconds of the server's clock. Aerobat writes it, with what it
    takes from `counted_key`, so that every Aerobat that comes after it knows the same.
    """
    return f"ts:{{{app}}}:busy"


def late_key(app: str) -> str:
    """Return the key of the like set of the flags that were found to be counted late."""
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

EVALUATIONS_EVERY_MS = 10_000
"""How often evaluations by variant and by rule are written."""
_COARSE_RESOLUTIONS = tuple(each for each in RESOLUTIONS if each.bucket_ms > EVALUATIONS_EVERY_MS)


def resolutions_of(metric: str) -> tuple[Resolution, ...]:
    """Return the coarser copies that a series of this metric has.

    Evaluations have none that would be as fine as what they are written in.
    """
    return _COARSE_RESOLUTIONS if metric.startswith(_EVALUATIONS) else RESOLUTIONS
