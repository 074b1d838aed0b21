"""Requests as a client sends them: bytes in, heads, bodies and refusals out. Pure.

A plain head is read by one regular expression (`plain`), and its body, if any, is counted. Everything else, such as
chunks, goes through llhttp, strictly: white space before a colon, folded lines, bare CR or LF, NUL, two framings or two
lengths are errors. What such a head means is read here: the target's form, the host, what is special about fields
(RFC 9112 §3, §6; RFC 9110 §7.2).
"""

import re
from typing import Protocol

import httptools

from tailslide_runtime.http1 import plain
from tailslide_runtime.http1.fields import (
    AUTHORITY,
    Kind,
    SpecialField,
    block_of,
    cut,
    first_value,
    options,
    special_field,
    trailer_lines,
    values,
    without,
)
from tailslide_runtime.http1.messages import END, MANY_PARTS, NO_LENGTH, End, Framing, joined
from tailslide_runtime.http1.refusals import Refusal, bad_request

_BY_LENGTH = Framing.LENGTH  # a global costs a fifth of a member of an enum
_ABSOLUTE = re.compile(rb"http://(?P<authority>[^/?]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_EMPTY_LINES = re.compile(rb"[\r\n]*+")
_BEYOND = 1_024
"""How much of a body is read at once at least: each part is an event."""
_LOOP = 16
"""A chain of so many sidecars is a circle."""


class HeadLimits(Protocol):
    """How large a head may be; sizes in bytes."""

    @property
    def max_header_bytes(self) -> int:
        """All fields together, with their names."""

    @property
    def max_headers(self) -> int:
        """How many fields there may be."""

    @property
    def max_target_bytes(self) -> int:
        """The target, path and query together."""


class Leftover:
    """Bytes behind a request that asks to leave HTTP/1.1 behind: what they are, its answer decides."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class RequestHead:
    """What a request says before its body. What most requests do not say has its value here, once for all."""

    method: str
    target: str
    """Path and query, as sent; `*` for a server as a whole."""
    path: str
    query: str = ""
    """Behind the question mark."""
    absolute: bool = False
    """Whether the target was in absolute form, as proxies get it."""
    authority: bytes = b""
    """Host and port, as sent; empty where HTTP/1.0 says nothing."""
    host: str = ""
    """In lower case, without port and brackets."""
    version_1_0: bool = False
    keeps_alive: bool = True
    framing: Framing = Framing.NONE
    length: int = NO_LENGTH
    """Of the body in bytes, `NO_LENGTH` without Content-Length."""
    block: bytes
    """All fields."""
    passing: bytes
    """The fields that go on as they are."""
    forwarded: tuple[SpecialField, ...] = ()
    """Forwarded and X-Forwarded-*."""
    via: tuple[bytes, ...] = ()
    takes_trailers: bool = False
    expects_continue: bool = False
    upgrade: bytes = b""
    """The protocol that the client would rather speak, else empty."""
    max_forwards: int | None = None
    opening: bytes = b""
    """The request line and the line of Host, as sent, if nothing of the above is said, as by nearly all; else empty."""

    @property
    def port(self) -> int | None:
        """The port that the authority names."""
        match = AUTHORITY.fullmatch(self.authority)
        return int(match["port"]) if match is not None and match["port"] else None

    def get(self, name: str) -> str | None:
        """Return the first field of a name, given in lower case, as Latin-1; None without one."""
        value = first_value(self.block, name)
        return None if value is None else value.decode("latin-1")

    def get_all(self, name: str) -> list[str]:
        """Return all fields of a name, given in lower case."""
        return [value.decode("latin-1") for value in values(self.block, name)]


Event = RequestHead | bytes | End | Leftover | Refusal
"""What comes of bytes: a head, a part of its body, its end; nothing follows a refusal."""


class RequestReader:
    """Reads the requests of one connection."""

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._parser: httptools.HttpRequestParser | None = None
        self._events: list[Event] = []
        self._ended = False
        """Whether nothing more is read: the last request was refused, or said that it is the last."""
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._fed = 0
        self._without_body = 0
        """How much has come behind a head since the last of its body: sizes of chunks, extensions, trailers."""
        self._left = 0
        """What is left of a body that is counted."""
        self._is_last = False
        self._upgrades = False
        self._leaves_out_chunks = False
        """Whether llhttp leaves out a chunked body, as it does with all bodies where another protocol is wished for."""
        self._parsing = False
        """Whether llhttp is amid a message."""
        self._whole = False
        """Whether the end of a request was among what was fed last."""
        self.stopped_at = 0

    @property
    def has_begun(self) -> bool:
        """Whether a head has come in part."""
        return self._fed > 0

    def feed(self, data: bytes, start: int = 0) -> list[Event]:
        """Take what has come, from `start` on and up to the end of one request; return what it amounts to, in order.

        `stopped_at` says how far that is. What follows is to be fed when it can be dealt with: bytes take a tenth of
        the memory that their events do. Where nobody can tell the end beforehand (chunks), a little of the next
        request may be among the events.
        """
        self._whole = False
        events: list[Event] = []
        end = len(data)
        while start < end and not (self._whole or self._ended):
            if self._left:
                start = self._count(data, events, start)
                continue
            match = None if self._parsing else plain.REQUEST.match(data, start)
            head = None if match is None else self._plain_head(match, data, start)
            if match is None or head is None:
                if not self._parsing:
                    # An empty line before a request is none (RFC 9112 §2.2).
                    start = _EMPTY_LINES.match(data, start).end()  # type: ignore[union-attr] # it matches nothing as well
                if start < end:
                    start = self._parse_some(data, start, events)
                continue
            start = match.end()
            if head.length > 0:
                events.append(head)
                self._left = head.length
                self._is_last = False
            elif start == end and not events:
                self.stopped_at = end
                return [head, END]  # one whole request, as most data is
            else:
                events += (head, END)
                break
        self.stopped_at = end if self._ended else start
        return joined(events) if len(events) > MANY_PARTS else events

    def _parse_some(self, data: bytes, start: int, events: list[Event]) -> int:
        """Let llhttp read up to what may be the end of a message, or not far beyond; return how far it came."""
        in_head = not self._parsing or self._fed > 0
        found = data.find(b"\r\n\r\n", start if in_head else start + _BEYOND)
        stop = len(data) if found < 0 else found + 4
        rest = self._parse(data[start:stop] if start or stop < len(data) else data, events)
        return stop - len(rest)

    def _plain_head(self, match: re.Match[bytes], data: bytes, start: int) -> RequestHead | None:
        """Return the head of a plain request; None if it is not plain after all."""
        method, target, block, authority, passing, length, keep_alive, second_length = match.groups()
        host = _hosts.get(authority) or _host_of(authority)
        limits = self._limits
        if (
            host is None
            or (length is not None and second_length is not None)
            or len(target) > limits.max_target_bytes
            or len(block) > limits.max_header_bytes
            or block.count(b"\r\n") > limits.max_headers
        ):
            return None
        head = RequestHead()
        head.opening = data[start : match.end(4)]
        head.method = method.decode()
        head.block = block
        head.authority = authority
        head.host = host
        if keep_alive is not None:
            before = match.start(7) - match.start(5)
            passing = passing[:before] + passing[before + len(keep_alive) :]
        head.passing = passing
        head.target = head.path = text = target.decode()
        if b"?" in target:
            head.path, _, head.query = text.partition("?")
        if length is not None or second_length is not None:
            head.framing = _BY_LENGTH
            head.length = int(length or second_length)
        return head

    def _count(self, data: bytes, events: list[Event], start: int = 0) -> int:
        """Take a part of a body of known length; return where it ends."""
        left, there = self._left, len(data) - start
        if there < left:
            self._left = left - there
            events.append(data[start:] if start else data)
            return len(data)
        self._left = 0
        self._whole = True
        self._ended = self._is_last
        events.append(data[start : start + left] if start or there > left else data)
        events.append(END)
        if self._upgrades:
            self._upgrades = False
            events.append(Leftover(data[start + left :]))
            return len(data)
        return start + left

    def _parse(self, data: bytes, events: list[Event]) -> bytes:
        """Let llhttp read; return what it has left."""
        self._events = events
        in_head = not self._parsing or self._fed > 0
        if in_head:
            self._fed += len(data)
        else:
            self._without_body += len(data)
        self._parsing = True
        parser = self._parser
        if parser is None:
            parser = self._parser = _new_parser(self)
        rest = b""
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = self._stopped_before(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None  # a defect of ours, never the client's
        except httptools.HttpParserError as error:
            self._refuse(_refusal_of(error))
        limits = self._limits
        if max(self._fed, self._without_body) > limits.max_header_bytes + limits.max_target_bytes:
            self._refuse(self._too_large())
        return rest

    def _stopped_before(self, rest: bytes) -> bytes:
        """Go on where llhttp has seen a wish for another protocol; return what is still to be read as HTTP."""
        self._parser = None
        self._parsing = False
        if self._leaves_out_chunks:
            self._parser = _new_parser(self)
            self._parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            self._leaves_out_chunks = False
        elif self._upgrades and not self._left:
            # From here on it may be anything; whoever goes on with HTTP feeds it again.
            self._upgrades = False
            self._whole = True
            self._events.append(Leftover(rest))
            return b""
        return rest

    # What llhttp calls

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._target = b""
        self._fields = []
        self._parsing = True
        self._fed = max(self._fed, 1)

    def on_url(self, part: bytes) -> None:
        """Take a part of the target."""
        self._target += part
        if len(self._target) > self._limits.max_target_bytes:
            limit = self._limits.max_target_bytes
            self._refuse(Refusal(414, "TARGET_TOO_LONG", f"expected a target of at most {limit} bytes", closes=True))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, of the head or of the trailers."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head."""
        limits, parser = self._limits, self._parser
        assert parser is not None
        fields, self._fields = self._fields, []
        self._fed = 0
        if self._ended or self._leaves_out_chunks:
            return
        if len(fields) > limits.max_headers:
            self._refuse(_too_many(limits.max_headers))
            return
        block = block_of(fields)
        if len(block) > limits.max_header_bytes:
            self._refuse(self._too_large())
            return
        version = parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            self._refuse(bad_request("expected a request line with a version") if version == "0.9" else _OTHER_VERSION)
            return
        read = read_head(parser.get_method().decode(), self._target, block, version_1_0=version == "1.0")
        if isinstance(read, Refusal):
            self._refuse(read)
        else:
            self._events.append(read)
            self._is_last = not read.keeps_alive
            self._upgrades = bool(read.upgrade)
            if parser.should_upgrade():
                self._left = max(read.length, 0)
                self._leaves_out_chunks = read.framing is Framing.CHUNKED

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self._without_body = 0
        if not self._ended:
            self._events.append(data)

    def on_message_complete(self) -> None:
        """End the request."""
        if not (self._ended or self._left or self._leaves_out_chunks):
            self._events.append(End(trailer_lines(self._fields)) if self._fields else END)
            self._whole = True
            self._ended = self._is_last
        self._fields = []
        self._without_body = 0
        self._parsing = False

    def _refuse(self, refusal: Refusal) -> None:
        if not self._ended:
            self._ended = True
            self._fed = 0
            self._events.append(refusal)

    def _too_large(self) -> Refusal:
        limit = self._limits.max_header_bytes
        return Refusal(431, "HEADERS_TOO_LARGE", f"expected headers of at most {limit} bytes in all", closes=True)


def _new_parser(reader: RequestReader) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(reader)
    # Whether a request is the last one, `read_head` says; llhttp would take Proxy-Connection for Connection.
    parser.set_dangerous_leniencies(lenient_keep_alive=True)
    return parser


def _too_many(limit: int) -> Refusal:
    return Refusal(431, "TOO_MANY_HEADERS", f"expected at most {limit} headers", closes=True)


def _refusal_of(error: httptools.HttpParserError) -> Refusal:
    """Say what llhttp's error means for the client."""
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        return _UNKNOWN_METHOD
    text = str(error)
    if text in {"Invalid HTTP version", "Pause on PRI/Upgrade"}:
        return _OTHER_VERSION
    return bad_request(f"expected HTTP/1.1 as RFC 9112 has it: {text[:1].lower()}{text[1:]}")


_UNKNOWN_METHOD = Refusal(501, "UNKNOWN_METHOD", "expected a registered HTTP method", closes=True)
_OTHER_VERSION = Refusal(505, "UNKNOWN_VERSION", "expected HTTP/1.1 or HTTP/1.0", closes=True)


def read_head(method: str, target: bytes, block: bytes, *, version_1_0: bool = False) -> RequestHead | Refusal:
    """Return what a head says, or why it is refused."""
    head = RequestHead()
    head.method = method
    head.block = block
    if version_1_0:
        head.version_1_0, head.keeps_alive = True, False
    return _read_fields(head, cut(block)) or _read_target(head, target) or _refused_method(head) or head


def _refused_method(head: RequestHead) -> Refusal | None:
    if head.method in {"CONNECT", "TRACE"}:
        message = f"{head.method} is not served here"
        return Refusal(405, "METHOD_NOT_ALLOWED", message, closes=True, headers=((b"Allow", ALLOWED),))
    if head.method == "SOURCE":
        return _UNKNOWN_METHOD  # llhttp knows it, from ICE/1.0
    return None


ALLOWED = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def _read_fields(head: RequestHead, pieces: list[bytes]) -> Refusal | None:
    """Read what is special, and keep what goes on."""
    named: set[bytes] = set()
    codings: list[bytes] = []
    passing = [pieces[0]]
    for place in range(1, len(pieces), 2):
        special = special_field(pieces[place])
        kind, name, value = special
        if kind is Kind.HOST:
            if head.authority:
                return bad_request("expected one Host, got two")
            head.authority = value or b","  # an empty one is there, and no valid one
        elif kind is Kind.CONTENT_LENGTH:
            if head.length != NO_LENGTH or _LENGTH.fullmatch(value) is None:
                return bad_request("expected one Content-Length, a number")
            head.framing, head.length = Framing.LENGTH, int(value)
            passing.append(b"\r\n%b: %b" % (name, value))
        elif kind is Kind.CONNECTION:
            named.update(options(value))
        elif kind is Kind.TRANSFER_ENCODING:
            codings += options(value) or [b""]
        elif kind is not Kind.DROPPED:
            refusal = _read_rare(head, special)
            if refusal is not None:
                return refusal
        passing.append(pieces[place + 1])
    head.passing = b"".join(passing)
    return _settle(head, named, codings)


def _read_rare(head: RequestHead, special: SpecialField) -> Refusal | None:
    kind, _, value = special
    if kind is Kind.FORWARDED:
        head.forwarded += (special,)
    elif kind is Kind.VIA:
        head.via += (value,)
    elif kind is Kind.TE:
        head.takes_trailers |= any(option.partition(b";")[0].strip() == b"trailers" for option in options(value))
    elif kind is Kind.UPGRADE:
        head.upgrade = value
    elif kind is Kind.EXPECT:
        if value.lower() != b"100-continue":
            return Refusal(
                417, "EXPECTATION_FAILED", "expected Expect to be 100-continue, the only one known", closes=True
            )
        head.expects_continue = not head.version_1_0
    elif kind is Kind.MAX_FORWARDS:
        if not value.isdigit():
            return bad_request("expected Max-Forwards to be a number")
        head.max_forwards = int(value[:4])
    return None


def _settle(head: RequestHead, named: set[bytes], codings: list[bytes]) -> Refusal | None:
    """Decide what depends on more than one field."""
    if named:
        if b"close" in named:
            head.keeps_alive = False
        elif b"keep-alive" in named:
            head.keeps_alive = True
        others = named - _KNOWN_OPTIONS
        if others:
            head.passing = without(head.passing, others)
    if codings:
        if head.length != NO_LENGTH:
            return bad_request("expected either Transfer-Encoding or Content-Length")
        if head.version_1_0:
            return bad_request("expected no Transfer-Encoding in HTTP/1.0")
        if codings[-1] != b"chunked":
            return bad_request("expected chunked as the last transfer coding")
        if len(codings) > 1:
            return Refusal(501, "UNKNOWN_TRANSFER_CODING", "expected chunked as the only transfer coding", closes=True)
        head.framing = Framing.CHUNKED
    if head.upgrade and (b"upgrade" not in named or head.version_1_0 or codings or _is_http(head.upgrade)):
        head.upgrade = b""
    if head.via and sum(value.count(b"tailslide") for value in head.via) >= _LOOP:
        return Refusal(508, "LOOP", f"the request has passed {_LOOP} sidecars, so its routes lead in a circle", True)
    return None


_KNOWN_OPTIONS = frozenset({b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"})


def _is_http(protocol: bytes) -> bool:
    """Whether it is another version of HTTP: requests in it would pass without being looked at (h2c smuggling)."""
    return any(option.startswith((b"h2c", b"http/", b"tls/")) for option in options(protocol))


def _read_target(head: RequestHead, target: bytes) -> Refusal | None:
    """Read the target (RFC 9112 §3.2) and the host: that of an absolute target wins over the Host field."""
    field = head.authority
    if not target.startswith(b"/"):
        if target == b"*":
            if head.method != "OPTIONS":
                return bad_request("expected * as the target of OPTIONS only")
        else:
            match = _ABSOLUTE.fullmatch(target)
            if match is None:
                if head.method == "CONNECT":
                    return None  # refused for its method
                return bad_request("expected a target like /path or http://host/path")
            head.absolute = True
            head.authority = match["authority"] or b","
            rest = match["rest"]
            target = rest if rest.startswith(b"/") else b"/" + rest
    if b"#" in target:
        return bad_request("expected a target without a fragment")
    head.target = text = target.decode("latin-1")
    if "?" in text:
        head.path, _, head.query = text.partition("?")
    else:
        head.path = text
    return _read_host(head, field)


def _read_host(head: RequestHead, field: bytes) -> Refusal | None:
    host = _hosts.get(field) or _host_of(field)
    if host is None and (field or not head.version_1_0):
        return _BAD_HOST if field else bad_request("expected a Host")
    if head.absolute:
        host = _host_of(head.authority)
        if host is None:
            return bad_request(
                f"expected the target's host to be a name of at most {MAX_NAME} characters or an address, without user"
            )
    head.host = host or ""
    return None


MAX_NAME = 253
"""Characters of a name in text: 255 octets on the wire (RFC 1035 §2.3.4) without the first length and the root's."""
_MAX_AUTHORITY = MAX_NAME + len(".:65535")
_MANY_HOSTS = 1_000
_hosts: dict[bytes, str] = {}
"""Hosts that were read before; when there are more, all are forgotten."""


_BAD_HOST = bad_request(
    f"expected Host to be a name of at most {MAX_NAME} characters or an address, with or without a port"
)


def _host_of(authority: bytes) -> str | None:
    """Return the host of an authority in lower case, without port and brackets; None when it is no valid one."""
    match = AUTHORITY.fullmatch(authority) if len(authority) <= _MAX_AUTHORITY else None
    if match is None or (match["port"] and int(match["port"]) > 65_535):
        return None
    host = match["host"].decode("ascii").lower().strip("[]")
    if host.endswith(".") and host != ".":
        host = host[:-1]  # the same name, written out to the root
    if len(host) > MAX_NAME:
        return None
    if len(_hosts) >= _MANY_HOSTS:
        _hosts.clear()
    _hosts[authority] = host
    return host
