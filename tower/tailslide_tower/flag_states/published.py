"""What the bucket of rulesets holds of each flag, as this Tower has last heard: which version, and stored when.

Fails open: while NATS is away it says what was so when it was last heard from.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from tailslide_core.errors import ContractError
from tailslide_core.fields import MAX_INTEGER, is_integer
from tailslide_core.naming import FlagId, is_app_key, is_reserved
from tailslide_core.presence import Presence
from tailslide_runtime.bucket_watch import Entry, Listing


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the bucket of rulesets: a revision, and when NATS stored it, Unix milliseconds.

    Of a bucket that was made again the revisions begin anew, and the times do not.
    """

    revision: int
    stored_ms: int

    def is_seen_by(self, presence: Presence) -> bool:
        """Whether a sidecar has taken in what is stored here."""
        return presence.revision >= self.revision and presence.revision_ms >= self.stored_ms


@dataclass(frozen=True, slots=True)
class Published:
    """A flag in the bucket. `version` None is a deletion, or a value that cannot be read."""

    version: int | None
    position: Position


class PublishedFlags:
    """The bucket of rulesets, but for what the rulesets say."""

    def __init__(self, changed: Callable[[FlagId], None]) -> None:
        """`changed` is called with each flag that is published anew."""
        self._changed = changed
        self._flags: dict[FlagId, Published] = {}
        self._latest: dict[str, Position] = {}

    def take(self, item: Listing | Entry) -> None:
        """Take in what the watch of the bucket has seen."""
        if isinstance(item, Entry):
            self._take(item)
            return
        before = self._flags
        self._flags, self._latest = {}, {}
        for entry in item.entries.values():
            self._put(entry)
        for flag_id in before.keys() | self._flags.keys():
            if before.get(flag_id) != self._flags.get(flag_id):
                self._changed(flag_id)

    def _take(self, entry: Entry) -> None:
        flag_id = self._put(entry)
        if flag_id is not None:
            self._changed(flag_id)

    def _put(self, entry: Entry) -> FlagId | None:
        position = Position(entry.revision, entry.stored_ms)
        app = entry.key.partition(".")[0]
        if not is_app_key(app):
            return None
        latest = self._latest.get(app)
        if latest is None or latest.revision < position.revision:
            self._latest[app] = position
        if is_reserved(entry.key):
            return None
        try:
            flag_id = FlagId.parse(entry.key)
        except ContractError:
            return None
        self._flags[flag_id] = Published(_version(entry.value), position)
        return flag_id

    def get(self, flag_id: FlagId) -> Published | None:
        """Return what the bucket holds of a flag."""
        return self._flags.get(flag_id)

    def latest(self, app: str) -> Position | None:
        """Return the last position among all keys of an app: its flags, its segments and its mark."""
        return self._latest.get(app)

    def flags(self) -> Mapping[FlagId, Published]:
        """Return all flags."""
        return self._flags


_HEAD = re.compile(rb'\{"schema":[0-9]+,"app":"[^"]*","key":"[^"]*","version":([0-9]{1,16})[,}]')


def _version(value: bytes | None) -> int | None:
    """Return the version of a ruleset, of which Tower itself has written the beginning in this very form.

    Ten thousand flags are listed at once, and nothing but the number is of interest.
    """
    if value is None:
        return None
    head = _HEAD.match(value)
    if head is not None:
        return int(head[1])
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    version = fields.get("version") if isinstance(fields, dict) else None
    return version if isinstance(version, int) and is_integer(version, 0, MAX_INTEGER) else None
