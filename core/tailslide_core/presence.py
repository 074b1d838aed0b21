"""What a sidecar says of itself in the bucket `sidecars`: for people only, no decision depends on it.

The bucket forgets an entry 30 s after it was written. Every text and list is bounded, so that an entry stays small
whatever a host is called and however many flags its routes name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import orjson

from tailslide_core.contracts import Json, versioned
from tailslide_core.errors import ContractError
from tailslide_core.fields import Fields, shown
from tailslide_core.naming import SidecarId, check_app_key, is_flag_key

PRESENCE_SCHEMA = 1

PRESENCE_TTL_MS = 30_000
"""How long an entry is kept, and after how much silence a sidecar counts as not heard from."""
PRESENCE_EVERY_MS = 10_000
"""How often a sidecar writes its entry while nothing changes."""
PRESENCE_CHANGE_MS = 1_000
"""How often it writes at most while much changes."""
MAX_PRESENCE_BYTES = 16_384

MAX_HOST = 100
MAX_VERSION = 60
MAX_SOURCE = 20
MAX_LISTENERS = 4
MAX_LISTENER = 120
MAX_FLAGS = 50
"""So many flags are named; how many there are is counted."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Presence:
    """A sidecar at one moment, by its own account. Times are Unix milliseconds.

    `revision` is the highest of the bucket of rulesets, among the keys of its app, that the sidecar has taken in, and
    `revision_ms` the latest time at which NATS stored one of these: a new bucket starts to count again.
    `age_ms` is how long ago NATS was last heard from, `source` what it answers from: `jetstream`, `snapshot`, or None
    while it knows nothing. `route_flags` are flags that its routes name, `refused` the flags whose last ruleset it
    could not read; `route_flags_count` and `refused_count` say how many there are, of which not all may be named.
    """

    app: str
    instance: str
    host: str
    version: str
    started_ms: int
    revision: int
    revision_ms: int
    age_ms: int | None
    source: str | None
    listeners: tuple[str, ...]
    route_flags: tuple[str, ...] = ()
    route_flags_count: int = 0
    refused: tuple[str, ...] = ()
    refused_count: int = 0

    @property
    def sidecar_id(self) -> SidecarId:
        """Return what names this sidecar."""
        return SidecarId(self.app, self.instance)


def encode_presence(presence: Presence) -> bytes:
    """Write an entry; texts and lists that are too long are cut off."""
    return orjson.dumps(
        {
            "schema": PRESENCE_SCHEMA,
            "app": presence.app,
            "instance": presence.instance,
            **presence_json(presence),
        }
    )


def presence_json(presence: Presence) -> Json:
    """Return what a sidecar says of itself, without its name."""
    return {
        "host": _line(presence.host, MAX_HOST),
        "version": _line(presence.version, MAX_VERSION),
        "started_ms": presence.started_ms,
        "revision": presence.revision,
        "revision_ms": presence.revision_ms,
        "age_ms": presence.age_ms,
        "source": presence.source,
        "listeners": [_line(each, MAX_LISTENER) for each in presence.listeners[:MAX_LISTENERS]],
        "route_flags": list(presence.route_flags[:MAX_FLAGS]),
        "route_flags_count": presence.route_flags_count,
        "refused": list(presence.refused[:MAX_FLAGS]),
        "refused_count": presence.refused_count,
    }


def decode_presence(data: bytes) -> Presence:
    """Read an entry; raise `ContractError` that names the field. Nothing in it can be longer than its bound."""
    if len(data) > MAX_PRESENCE_BYTES:
        raise ContractError("value", f"expected at most {MAX_PRESENCE_BYTES} bytes, got {len(data)}")
    fields = versioned(data, PRESENCE_SCHEMA)
    source = fields.optional_string("source")
    return Presence(
        app=check_app_key("app", fields.string("app")),
        instance=check_app_key("instance", fields.string("instance")),
        host=_line(fields.string("host"), MAX_HOST),
        version=_line(fields.string("version"), MAX_VERSION),
        started_ms=fields.integer("started_ms", low=0),
        revision=fields.integer("revision", low=0),
        revision_ms=fields.integer("revision_ms", low=0),
        age_ms=fields.optional_integer("age_ms", low=0),
        source=None if source is None else _line(source, MAX_SOURCE),
        listeners=tuple(_line(each, MAX_LISTENER) for each in _first(fields.strings("listeners"), MAX_LISTENERS)),
        route_flags=_flags(fields, "route_flags"),
        route_flags_count=fields.integer("route_flags_count", low=0),
        refused=_flags(fields, "refused"),
        refused_count=fields.integer("refused_count", low=0),
    )


def _flags(fields: Fields, name: str) -> tuple[str, ...]:
    flags = tuple(_first(fields.strings(name), MAX_FLAGS))
    for index, flag in enumerate(flags):
        if not is_flag_key(flag):
            raise ContractError(f"{name}[{index}]", f"expected the key of a flag, got {shown(flag, 80)}")
    return flags


def _first(items: Iterable[_Item], most: int) -> list[_Item]:
    return [item for _, item in zip(range(most), items, strict=False)]


def _line(text: str, most: int) -> str:
    """Return a text on one line, without what cannot be printed, cut off at `most` characters."""
    return "".join(char for char in text[:most] if char.isprintable())
