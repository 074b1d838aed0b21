"""Header fields by what an intermediary has to do about them (RFC 9110 §7.6). Pure.

The fields of a head are kept as one block of bytes, each line beginning with CR LF: nearly all of it goes on as it
came, and the few lines that are special are cut out of it. Names are compared without case.
"""

import re
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What is special about a field."""

    ORDINARY = 0
    """Goes on as it is."""
    DROPPED = 1
    """Speaks of this connection alone (RFC 9110 §7.6.1), or passes itself off as one that we set."""
    HOST = 2
    CONNECTION = 3
    CONTENT_LENGTH = 4
    TRANSFER_ENCODING = 5
    TE = 6
    EXPECT = 7
    UPGRADE = 8
    FORWARDED = 9
    """Forwarded and X-Forwarded-*: believed from some, replaced for all others."""
    VIA = 10
    MAX_FORWARDS = 11
    KEEP_ALIVE = 12
    OURS = 13
    """The header that tells how a flagged call was decided; another sidecar's says nothing about our answer."""


_KINDS = {
    b"host": Kind.HOST,
    b"connection": Kind.CONNECTION,
    b"proxy-connection": Kind.DROPPED,
    b"proxy-authorization": Kind.DROPPED,
    b"proxy-authenticate": Kind.DROPPED,
    b"http2-settings": Kind.DROPPED,
    b"keep-alive": Kind.KEEP_ALIVE,
    b"content-length": Kind.CONTENT_LENGTH,
    b"transfer-encoding": Kind.TRANSFER_ENCODING,
    b"te": Kind.TE,
    b"expect": Kind.EXPECT,
    b"upgrade": Kind.UPGRADE,
    b"forwarded": Kind.FORWARDED,
    b"x-forwarded-for": Kind.FORWARDED,
    b"x-forwarded-proto": Kind.FORWARDED,
    b"x-forwarded-host": Kind.FORWARDED,
    b"via": Kind.VIA,
    b"max-forwards": Kind.MAX_FORWARDS,
    b"x-tailslide": Kind.OURS,
}

# A sender that lists these in Connection would make the proxy forward a message that means something else.
_NEVER_BY_HOP = frozenset(
    {b"host", b"content-length", b"content-type", b"authorization", b"cookie", b"set-cookie", b"cache-control"}
)

# What tells where a message ends, where it goes or who sent it has no business behind the body (RFC 9110 §6.5.1).
_NEVER_IN_TRAILERS = frozenset(_KINDS) | {
    b"authorization",
    b"cache-control",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"cookie",
    b"set-cookie",
    b"trailer",
}


def in_any_case(name: bytes) -> bytes:
    """Return a pattern for a name, or a part of one.

    It takes `_` for `-`, as some servers do: they shall not find a second X-Forwarded-For.
    """
    parts = []
    for code in name:
        character = bytes([code])
        if character == b"-":
            parts.append(b"[-_]")
        elif character.isalpha():
            parts.append(b"[" + character.upper() + character + b"]")
        else:
            parts.append(re.escape(character))
    return b"".join(parts)


def _search_for(names: Iterable[bytes]) -> re.Pattern[bytes]:
    # One search over the whole block, with each letter in both cases: five times faster than a look at every line.
    return re.compile(rb"(\r\n(?:" + b"|".join(in_any_case(name) for name in names) + rb"):[^\r]*)")


OF_REQUESTS = tuple(name for name, kind in _KINDS.items() if kind is not Kind.OURS)
"""The names that are special in a request."""
OF_ANSWERS = tuple(
    name
    for name, kind in _KINDS.items()
    if kind not in {Kind.HOST, Kind.TE, Kind.EXPECT, Kind.FORWARDED, Kind.MAX_FORWARDS}
)
_SPECIAL = _search_for(OF_REQUESTS)
_SPECIAL_IN_ANSWERS = _search_for(OF_ANSWERS)
_DATE = re.compile(rb"\r\n" + in_any_case(b"date") + rb":")

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"


class SpecialField(NamedTuple):
    """A field that is special, without the white space around its value."""

    kind: Kind
    name: bytes
    value: bytes


_MANY_LINES = 2_000
_LONG_LINE = 200
_read: dict[bytes, SpecialField] = {}
"""Lines that were read before: most clients send the same Host and Connection again and again."""


def special_field(line: bytes) -> SpecialField:
    """Read a line that `cut` has found."""
    field = _read.get(line)
    if field is None:
        name, _, value = line[2:].partition(b":")
        kind = _KINDS.get(name.lower(), Kind.DROPPED)  # what is not there has an underscore
        field = SpecialField(kind, name, value.strip(b" \t"))
        # Credentials are not kept longer than their request.
        if len(_read) < _MANY_LINES and len(line) < _LONG_LINE and kind is not Kind.DROPPED:
            _read[line] = field
    return field


def cut(block: bytes) -> list[bytes]:
    """Return a request's block in pieces: at even places what is ordinary, at odd places one special line each."""
    return _SPECIAL.split(block)


def cut_answer(block: bytes) -> list[bytes]:
    """Return an answer's block likewise."""
    return _SPECIAL_IN_ANSWERS.split(block)


def has_date(block: bytes) -> bool:
    """Whether there is a Date."""
    return b"\r\nDate:" in block or _DATE.search(block) is not None


def block_of(fields: list[tuple[bytes, bytes]]) -> bytes:
    """Return names and values as a block."""
    return b"".join([b"\r\n%b: %b" % field for field in fields])


def options(value: bytes) -> list[bytes]:
    """Return the members of a comma-separated list, in lower case, without the empty ones (RFC 9110 §5.6.1)."""
    return [option for option in (part.strip(b" \t").lower() for part in value.split(b",")) if option]


def without(block: bytes, named: set[bytes], *, always: bool = False) -> bytes:
    """Return a block without the fields that Connection names, of which some cannot be named away; or `always` all."""
    dropped = named if always else named - _NEVER_BY_HOP
    lines = block.split(b"\r\n")[1:]
    return b"".join([b"\r\n" + line for line in lines if line.partition(b":")[0].lower() not in dropped])


def trailer_lines(fields: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Return the lines of the trailers that may go on."""
    return [b"%b: %b" % field for field in fields if field[0].lower() not in _NEVER_IN_TRAILERS]


_patterns: dict[str, re.Pattern[bytes]] = {}


def values(block: bytes, name: str) -> list[bytes]:
    """Return the values of all fields of a name."""
    return [value.rstrip(b" \t") for value in _pattern(name).findall(block)]


def first_value(block: bytes, name: str) -> bytes | None:
    """Return the value of the first field of a name; None without one. Names are those of a file, so not many."""
    match = (_patterns.get(name) or _pattern(name)).search(block)
    return None if match is None else match[1].rstrip(b" \t")


def _pattern(name: str) -> re.Pattern[bytes]:
    pattern = _patterns.get(name)
    if pattern is None:
        letters = b"".join(
            b"[%b%b]" % (letter.upper(), letter.lower()) if letter.isalpha() else re.escape(letter)
            for letter in (bytes([code]) for code in name.encode("latin-1"))
        )
        pattern = _patterns[name] = re.compile(rb"\r\n" + letters + rb":[ \t]*+([^\r]*)")
    return pattern


AUTHORITY = re.compile(
    rb"(?P<host>\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::(?P<port>[0-9]{0,5}))?"
)
"""A host with or without a port (RFC 3986 §3.2), never empty for http (RFC 9110 §4.2.1); no user, no comma."""
