"""Answers as an upstream sends them: bytes in, heads, bodies and their end out. Pure.

As with requests, a plain head is read by one regular expression and its body is counted, and llhttp reads the rest. An
answer to HEAD has no body, whatever it says (RFC 9112 §6.3), which llhttp has to be stopped to know.
"""

import re

import httptools

from tailslide_runtime.http1 import plain
from tailslide_runtime.http1.fields import (
    Kind,
    block_of,
    cut_answer,
    has_date,
    options,
    special_field,
    trailer_lines,
    without,
)
from tailslide_runtime.http1.messages import END, MANY_PARTS, NO_LENGTH, End, Framing, joined

MAX_HEADER_BYTES = 131_072
"""An upstream is nobody's enemy, but memory has an end."""
_BY_LENGTH = Framing.LENGTH  # a global costs a fifth of a member of an enum
_HEAD_END = b"\r\n\r\n"
_REASON = re.compile(rb"[\t\x20-\x7e\x80-\xff]*+")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_TIMEOUT = re.compile(rb"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,9})")


class ResponseHead:
    """What an answer says before its body. What most answers do not say has its value here, once for all."""

    status: int
    reason: bytes
    version_1_0: bool = False
    framing: Framing = Framing.UNTIL_CLOSE
    length: int = NO_LENGTH
    """What Content-Length says, `NO_LENGTH` without one."""
    passing: bytes
    """The fields that go on as they are, each line beginning with CR LF."""
    has_date: bool = False
    via: tuple[bytes, ...] = ()
    keeps_alive: bool = True
    idle_s: int | None = None
    """How long the upstream says that it keeps an idle connection."""
    upgrade: bytes = b""
    is_plain: bool = False
    """Whether it has a date, a length and nothing else that is special, and is of HTTP/1.1."""
    is_chunked: bool = False
    """Whether its body is, or would be, sent in chunks."""


class Broken:
    """What came is no answer: the connection is of no more use."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message


class Switched:
    """The first bytes behind a 101: no HTTP any more."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


Event = ResponseHead | bytes | End | Broken | Switched


class ResponseReader:
    """Reads the answers of one connection; `expect` says what was asked."""

    def __init__(self) -> None:
        self._parser: httptools.HttpResponseParser | None = None
        self._events: list[Event] = []
        self._fields: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._head: ResponseHead | None = None
        self._fed = 0
        self._without_body = 0
        """How much has come behind a head since the last of its body: sizes of chunks, extensions, trailers."""
        self._tail = b""
        """The last bytes before those that are being read, in which the end of a head may have begun."""
        self._heads = 0
        """How many heads have ended in the bytes that are being read: an answer may come with interim ones."""
        self._left = 0
        """What is left of a body that is counted."""
        self._complete = False
        """Whether the answer has ended, so that nothing may follow."""
        self._bodiless = False
        self._stopped = False
        self._parsing = False
        """Whether llhttp is amid an answer."""
        self.is_silent = True
        """Whether nothing has come since the request was sent."""
        self.broken = False
        """Whether anything came that was no answer, or not asked for."""

    def expect(self, method: str) -> None:
        """Be ready for the answer to a request."""
        self._bodiless = method == "HEAD"
        self._fed = 0
        self._tail = b""
        self._complete = False
        self.is_silent = True

    def feed(self, data: bytes) -> list[Event]:
        """Take what has come; return what it amounts to, in order."""
        self.is_silent = False
        if self._left:
            return self._count(data)
        if self.broken:
            return []
        if self._parsing:
            return self._parse(data)
        match = plain.ANSWER.match(data)
        if match is None or self._bodiless:
            return self._parse(data)
        status, reason, block, length, keep_alive, second_length = match.groups()
        if (length is None) is (second_length is None) or status == b"204" or status == b"304":
            return self._parse(data)
        if len(block) > MAX_HEADER_BYTES:
            return self._parse(data)
        head = ResponseHead()
        head.status = int(status)
        head.reason = reason
        head.framing = _BY_LENGTH
        head.is_plain = head.has_date = b"\r\nDate:" in block or has_date(block)
        head.length = left = int(length or second_length)
        if keep_alive is not None:
            before = match.start(5) - match.start(3)
            block = block[:before] + block[before + len(keep_alive) :]
        head.passing = block
        end = match.end()
        there = len(data) - end
        if there == left:
            return [head, data[end:], END] if left else [head, END]
        if there < left:
            self._left = left - there
            return [head, data[end:]] if there else [head]
        self.broken = True  # more than there should be: an answer to nothing
        return [head, data[end : end + left], END]

    def _count(self, data: bytes) -> list[Event]:
        """Take a part of a body of known length."""
        there = len(data)
        if there < self._left:
            self._left -= there
            return [data]
        left, self._left = self._left, 0
        if there > left:
            self.broken = True
            data = data[:left]
        return [data, END]

    def _parse(self, data: bytes) -> list[Event]:
        """Let llhttp read."""
        events: list[Event] = []
        self._events = events
        if not self._parsing and data[:1] in {b"I", b"R"}:
            self._break("the answer is no HTTP/1.1")  # but ICE or RTSP, which llhttp would read as well
            return events
        self._heads = 0
        if self._head is None:
            self._fed += len(data)
        else:
            self._without_body += len(data)
        self._parsing = True
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpResponseParser(self)
            # Whether an answer is the last one, `read_head` says; llhttp would take Proxy-Connection for Connection.
            parser.set_dangerous_leniencies(lenient_keep_alive=True)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            events.append(Switched(data[upgrade.args[0] :]))
        except httptools.HttpParserCallbackError as error:
            if not self._stopped:
                raise error.__context__ or error from None
            self._begin_anew(data)
        except httptools.HttpParserError as error:
            self._break(f"the answer is no HTTP/1.1: {error}")
        if (self._head is None and self._fed > MAX_HEADER_BYTES) or self._without_body > MAX_HEADER_BYTES:
            self._break(f"the answer's headers have more than {MAX_HEADER_BYTES} bytes")
        self._tail = (self._tail + data)[-3:] if len(data) < 3 else data[-3:]
        return joined(events) if len(events) > MANY_PARTS else events

    def ended(self) -> list[Event]:
        """Take the end of the connection: the end of an answer that is delimited by it, else nothing."""
        if self._head is not None and self._head.framing is Framing.UNTIL_CLOSE and not self.broken:
            self._head = None
            return [END]
        return []

    def _begin_anew(self, data: bytes) -> None:
        """Begin behind the head of an answer to HEAD. With anything behind it, nobody knows what that is."""
        self._stopped = self._parsing = False
        self._parser = None
        data = self._tail + data
        if data.count(_HEAD_END) != self._heads or not data.endswith(_HEAD_END):
            self.broken = True

    def _break(self, message: str) -> None:
        if not self.broken:
            self.broken = True
            self._events.append(Broken(message))

    # What llhttp calls

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._fields = []
        self._reason = b""
        self._parsing = True
        if self._complete:
            self.broken = True  # an answer to nothing, which must not be the next one's

    def on_status(self, part: bytes) -> None:
        """Take a part of the reason phrase."""
        self._reason += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, of the head or of the trailers."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head."""
        fields, self._fields = self._fields, []
        parser = self._parser
        assert parser is not None
        self._heads += 1
        if self.broken:
            return
        status, version = parser.get_status_code(), parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            self._break(f"the answer is in HTTP/{version}")
            return
        if status < 100 or _REASON.fullmatch(self._reason) is None:
            self._break("the answer has no valid status line")
            return
        block = block_of(fields)
        if len(block) > MAX_HEADER_BYTES:
            self._break(f"the answer's headers have more than {MAX_HEADER_BYTES} bytes")
            return
        head = read_head(status, self._reason, block, bodiless=self._bodiless, version_1_0=version == "1.0")
        if isinstance(head, Broken):
            self._break(head.message)
            return
        self._head = head
        self._fed = 0
        self._events.append(head)
        if self._bodiless and status >= 200:
            # llhttp would wait for the body; the only way to tell it is to stop.
            self._head = None
            self._events.append(END)
            self._stopped = True
            raise _StopError

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self._without_body = 0
        if not self.broken:
            self._events.append(data)

    def on_message_complete(self) -> None:
        """End the answer."""
        self._complete = self._head is not None and self._head.status >= 200
        self._head = None
        self._without_body = 0
        self._parsing = False
        if not self.broken:
            self._events.append(End(trailer_lines(self._fields)) if self._fields else END)
        self._fields = []


class _StopError(Exception):
    """Ends llhttp's reading where an answer to HEAD ends."""


def read_head(
    status: int, reason: bytes, block: bytes, *, bodiless: bool, version_1_0: bool = False
) -> ResponseHead | Broken:
    """Return what a head says; `bodiless` for an answer to HEAD."""
    head = ResponseHead()
    head.status, head.reason = status, reason
    if version_1_0:
        head.version_1_0, head.keeps_alive = True, False
    head.has_date = has_date(block)
    pieces = cut_answer(block)
    passing = pieces[0]
    named: set[bytes] = set()
    codings: list[bytes] = []
    for place in range(1, len(pieces), 2):
        line = pieces[place]
        kind, name, value = special_field(line)
        if kind is Kind.CONTENT_LENGTH:
            if head.length != NO_LENGTH or _LENGTH.fullmatch(value) is None:
                return Broken("the answer has no valid Content-Length")
            head.framing, head.length = Framing.LENGTH, int(value)
            passing += b"\r\n%b: %b" % (name, value)
        elif kind is Kind.CONNECTION:
            if value != b"keep-alive" or version_1_0:
                named.update(options(value))
        elif kind is Kind.TRANSFER_ENCODING:
            codings += options(value) or [b""]
        elif kind is Kind.VIA:
            head.via += (value,)
        elif kind is Kind.KEEP_ALIVE:
            timeout = _TIMEOUT.search(value)
            head.idle_s = None if timeout is None else int(timeout[1])
        elif kind is Kind.UPGRADE:
            head.upgrade = value
        passing += pieces[place + 1]
    head.passing = passing
    if not named and not codings and not bodiless and status in _ORDINARY:
        return head
    return _settle(head, named, codings, bodiless)


_ORDINARY = frozenset(range(200, 600)) - {204, 304}


def _settle(head: ResponseHead, named: set[bytes], codings: list[bytes], bodiless: bool) -> ResponseHead | Broken:
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
        if head.version_1_0:
            return Broken("the answer has a Transfer-Encoding in HTTP/1.0")
        if head.length != NO_LENGTH:
            return Broken("the answer has both Transfer-Encoding and Content-Length")
        if codings != [b"chunked"]:
            return Broken("the answer has a transfer coding that was not asked for")
        head.framing = Framing.CHUNKED
        head.is_chunked = True
    status = head.status
    if status < 200 or status == 204:
        # Neither may have them (RFC 9110 §8.6, RFC 9112 §6.1).
        if head.length != NO_LENGTH:
            head.passing = without(head.passing, _LENGTH_NAMES, always=True)
            head.length = NO_LENGTH
        head.framing, head.is_chunked = Framing.NONE, False
    elif bodiless or status == 304:
        head.framing = Framing.NONE
    return head


_KNOWN_OPTIONS = frozenset({b"close", b"keep-alive", b"upgrade"})
_LENGTH_NAMES = {b"content-length"}
