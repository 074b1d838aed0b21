"""Reading the requests that the flags listener answers at once, from bytes, strictly or not at all. Pure.

A request is for here when it is one of the few that applications make all the time, and is written in the plainest
way. llhttp parses it, the parser that aiohttp itself is built on. Whatever else it is (another route, an odd header,
HTTP/1.0, chunks, Expect, a doubt) is somebody else's to read, whole and untouched: nothing is ever read in two ways.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from hmac import compare_digest
from typing import ClassVar, NamedTuple

import httptools

from tailslide_core.naming import FLAG_KEY_PATTERN, MAX_FLAG_KEY
from tailslide_runtime.http1.fields import AUTHORITY
from tailslide_runtime.own_names import OwnNames

MAX_HEAD_BYTES = 8_000
"""Shorter than any line may be for aiohttp, so that its limits never decide otherwise."""
MAX_LINES = 64
"""More header lines than that are aiohttp's to count."""
MAX_BODY_BYTES = 65_536
"""A larger body is aiohttp's to read."""
MAX_KNOWN = 4_096
"""How many heads are kept; when there are more, all are forgotten."""
MAX_KNOWN_BYTES = 1_024
"""A longer head is read again each time, so that all that are kept are a few megabytes at most."""

_KEY = FLAG_KEY_PATTERN.encode()
_LINE = re.compile(
    rb"(?:POST (?P<ofrep>/ofrep/v1/evaluate/flags)(?:/(?P<one>" + _KEY + rb"))?"
    rb"|GET /v1/flags/(?P<key>" + _KEY + rb")(?:\?(?P<query>[A-Za-z0-9_.~=&%+:@,;/!*()-]*))?) HTTP/1\.1\r\n"
)
"""The request lines that are for here, as they are nearly always written."""
_BEGINNINGS = (b"POST /ofrep/v1/evaluate/flags", b"GET /v1/flags/")
_FOLDED = re.compile(rb"\r\n[ \t]")
_LONE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_JSON_TYPES = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
_HOST, _LENGTH, _TYPE, _JSON, _CONDITIONAL, _AGENT, _LET_IN, _DOUBTFUL = (1 << bit for bit in range(8))


class Route(Enum):
    """What is answered at once."""

    OFREP_ONE = auto()
    OFREP_ALL = auto()
    NATIVE_ONE = auto()


class HotHead(NamedTuple):
    """The head of a request for here. A tuple, since making one costs a quarter of a frozen dataclass."""

    route: Route
    flag: str
    query: str
    if_none_match: str | None
    content_length: int


class HotFields(NamedTuple):
    """What the header fields of a request for here say, whichever flag is asked for."""

    if_none_match: str | None
    content_length: int


KnownFields = dict[tuple[bool, bytes], HotFields]
"""Header fields that were read before, by whether the request was a POST and by their bytes."""


class HotRequest(NamedTuple):
    """A request for here, which ends at `end` of the bytes that it was read from."""

    head: HotHead
    body: bytes
    end: int


class Unread(Enum):
    """Why there is no request."""

    NOT_FOR_HERE = auto()
    HEAD_INCOMPLETE = auto()
    BODY_INCOMPLETE = auto()


class HotReader:
    """Reads the requests of one connection, one after another."""

    __slots__ = (
        "_complete",
        "_content_length",
        "_if_none_match",
        "_known",
        "_known_fields",
        "_names",
        "_parser",
        "_seen",
        "_token",
        "needed",
    )

    def __init__(
        self,
        token: bytes | None,
        known: dict[bytes, HotHead],
        known_fields: KnownFields | None = None,
        *,
        names: OwnNames,
    ) -> None:
        """`token`, if there is one, has to be in Authorization or X-API-Key of every request for here.

        A request whose Host is none of `names`, or that comes from a page (Origin), is not for here.

        `known` are heads that were read before, on any connection with that token, `known_fields` their header fields,
        which more flags and users have in common. An application sends the same few again and again, and the same
        bytes always mean the same: a request line for here only says what is asked for, and the fields all the rest.
        """
        self._token = token
        self._known = known
        self._known_fields: KnownFields = {} if known_fields is None else known_fields
        self._names = names
        self._parser = httptools.HttpRequestParser(self)
        self.needed = 0
        """How long a request is whose body is incomplete, head and all."""
        self._begin()

    def _begin(self) -> None:
        self._content_length = 0
        self._if_none_match: str | None = None
        self._seen = 0
        self._complete = False

    def read(self, data: bytes, position: int) -> HotRequest | Unread:
        """Read the request that begins at `position`. After `NOT_FOR_HERE` the reader is of no more use."""
        head_end = data.find(b"\r\n\r\n", position) + 4
        if head_end < 4:
            return Unread.NOT_FOR_HERE if _cannot_be_for_here(data, position) else Unread.HEAD_INCOMPLETE
        raw = data[position:head_end]
        head = self._known.get(raw)
        if head is None:
            head = self._read_head(raw)
            if head is None:
                return Unread.NOT_FOR_HERE
        end = head_end + head.content_length
        if len(data) < end:
            self.needed = end - position
            return Unread.BODY_INCOMPLETE
        return HotRequest(head, data[head_end:end], end)

    def _read_head(self, raw: bytes) -> HotHead | None:
        line = _LINE.match(raw)
        if line is None or len(raw) > MAX_HEAD_BYTES:
            return None
        ofrep, one, flag, query = line.groups()
        if len(one or flag or b"") > MAX_FLAG_KEY:
            return None
        fields = self._read_fields(raw, line.end(), posts=ofrep is not None)
        if fields is None:
            return None
        length = fields.content_length
        if ofrep is None:
            # Not kept: there is one for each user.
            return HotHead(Route.NATIVE_ONE, flag.decode(), query.decode() if query else "", None, length)
        if one is not None:
            head = HotHead(Route.OFREP_ONE, one.decode(), "", None, length)
        else:
            head = HotHead(Route.OFREP_ALL, "", "", fields.if_none_match, length)
        if len(raw) <= MAX_KNOWN_BYTES:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[raw] = head
        return head

    def _read_fields(self, raw: bytes, begin: int, *, posts: bool) -> HotFields | None:
        known, key = self._known_fields, (posts, raw[begin:])
        fields = known.get(key)
        if fields is None and self._takes(raw, posts=posts):
            fields = HotFields(self._if_none_match, self._content_length)
            if len(raw) <= MAX_KNOWN_BYTES:
                if len(known) >= MAX_KNOWN:
                    known.clear()
                known[key] = fields
        return fields

    def _takes(self, head: bytes, *, posts: bool) -> bool:
        """Parse a head; False when there is anything about it that is not for here."""
        if head.count(b"\n") > MAX_LINES or _FOLDED.search(head) is not None:
            return False
        self._begin()
        parser = self._parser
        try:
            parser.feed_data(head)
            if self._content_length and not self._complete:
                # A body of that length, whatever it says, has to bring the parser to the end of the request.
                parser.feed_data(bytes(min(self._content_length, MAX_BODY_BYTES)))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        if not self._complete:
            return False
        seen = self._seen
        if seen & _DOUBTFUL or not seen & _HOST or not parser.should_keep_alive() or parser.should_upgrade():
            return False
        if self._token is not None and not seen & _LET_IN:
            return False
        if posts:
            return bool(seen & _JSON and seen & _LENGTH) and self._content_length <= MAX_BODY_BYTES
        return self._content_length == 0

    # llhttp's callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        """Look at a header: most say nothing that matters here, some say that the request is not for here."""
        look = self._LOOKS.get(name.lower())
        if look is not None:
            self._seen |= look(self, value)

    def on_message_complete(self) -> None:
        """The parser has come to the end of the request."""
        self._complete = True

    def _once(self, bit: int) -> int:
        return _DOUBTFUL if self._seen & bit else bit

    def _on_host(self, value: bytes) -> int:
        match = AUTHORITY.fullmatch(value)
        host = "" if match is None else match["host"].decode("ascii").lower().strip("[]").removesuffix(".")
        return self._once(_HOST) if host and self._names.has(host) else _DOUBTFUL

    def _on_content_length(self, value: bytes) -> int:
        if not value.isdigit() or len(value) > 9:
            return _DOUBTFUL
        self._content_length = int(value)
        return self._once(_LENGTH)

    def _on_content_type(self, value: bytes) -> int:
        return self._once(_TYPE) | (_JSON if value.lower() in _JSON_TYPES else 0)

    def _on_connection(self, value: bytes) -> int:
        return 0 if value.lower() == b"keep-alive" else _DOUBTFUL

    def _on_if_none_match(self, value: bytes) -> int:
        if not value.isascii():
            return _DOUBTFUL
        self._if_none_match = value.decode()
        return self._once(_CONDITIONAL)

    def _on_user_agent(self, _: bytes) -> int:
        return self._once(_AGENT)

    def _on_authorization(self, value: bytes) -> int:
        return self._on_credential(value.removeprefix(b"Bearer ")) if value.startswith(b"Bearer ") else 0

    def _on_credential(self, value: bytes) -> int:
        return _LET_IN if self._token is not None and compare_digest(value, self._token) else 0

    def _on_what_is_not_for_here(self, _: bytes) -> int:
        return _DOUBTFUL

    _LOOKS: ClassVar[Mapping[bytes, Callable[["HotReader", bytes], int]]] = {
        b"host": _on_host,
        b"content-length": _on_content_length,
        b"content-type": _on_content_type,
        b"connection": _on_connection,
        b"if-none-match": _on_if_none_match,
        b"user-agent": _on_user_agent,
        b"authorization": _on_authorization,
        b"x-api-key": _on_credential,
        b"transfer-encoding": _on_what_is_not_for_here,
        b"content-encoding": _on_what_is_not_for_here,
        b"expect": _on_what_is_not_for_here,
        b"upgrade": _on_what_is_not_for_here,
        b"http2-settings": _on_what_is_not_for_here,
        b"trailer": _on_what_is_not_for_here,
        b"te": _on_what_is_not_for_here,
        b"origin": _on_what_is_not_for_here,
        b"keep-alive": _on_what_is_not_for_here,
        b"proxy-connection": _on_what_is_not_for_here,
        # aiohttp refuses two of each of these, and the last one at all; no client of flags sends any.
        b"content-location": _on_what_is_not_for_here,
        b"content-range": _on_what_is_not_for_here,
        b"etag": _on_what_is_not_for_here,
        b"max-forwards": _on_what_is_not_for_here,
        b"server": _on_what_is_not_for_here,
        b"sec-websocket-key1": _on_what_is_not_for_here,
    }


def _cannot_be_for_here(data: bytes, position: int) -> bool:
    """Whether a head that is not complete yet cannot become one for here."""
    beginning = data[position : position + len(_BEGINNINGS[0])]
    return (
        len(data) - position > MAX_HEAD_BYTES
        or not any(beginning.startswith(known[: len(beginning)]) for known in _BEGINNINGS)
        or _LONE_LINE_FEED.search(data, position) is not None
    )
