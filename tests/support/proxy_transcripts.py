"""Transcripts of the proxy: this goes in, that comes out, in raw bytes.

Readers' events are told in plain values, so that the ways of reading can be compared; what goes over a wire is read by
a parser of its own, which shares nothing with the engine and takes nothing that RFC 9112 does not call valid. Where it
finds exactly one request for each that a client has sent, nobody behind the proxy can find another number.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tailslide_runtime.http1.messages import End, Framing
from tailslide_runtime.http1.refusals import Refusal
from tailslide_runtime.http1.requests import Event, Leftover, RequestHead, RequestReader
from tailslide_sidecar.proxy.forwarding import Origin, chunk, last_chunk, upstream_head
from tailslide_sidecar.proxy.limits import ProxyLimits
from tailslide_sidecar.proxy.responses import Broken, ResponseHead, ResponseReader, Switched

Fields = list[tuple[str, bytes]]
Told = tuple[object, ...]

LIMITS = ProxyLimits()
SOMEONE = Origin("192.0.2.1", trusted=False)


class NotStrictError(ValueError):
    """The bytes are no HTTP/1.1 beyond all doubt."""


@dataclass
class Message:
    """A request or an answer as it was on the wire; names of fields in lower case, values without outer white space."""

    first_line: bytes
    fields: Fields
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    is_chunked: bool = False

    def all(self, name: str) -> list[bytes]:
        return [value for found, value in self.fields if found == name]

    def one(self, name: str) -> bytes | None:
        """Return the value of a field that comes once or never."""
        values = self.all(name)
        if len(values) > 1:
            raise NotStrictError(f"{name} comes {len(values)} times")
        return values[0] if values else None

    @property
    def method(self) -> str:
        return self.first_line.split(b" ")[0].decode()

    @property
    def target(self) -> bytes:
        return self.first_line.split(b" ")[1]

    @property
    def status(self) -> int:
        return int(self.first_line[9:12])


_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+ HTTP/1\.1")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} [\t\x20-\x7e\x80-\xff]*")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff]+[ \t]*)*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")


def _head(data: bytes, first: re.Pattern[bytes]) -> tuple[Message, bytes] | None:
    """Return a head and what is behind it; None when it is not whole."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first_line, *lines = head.split(b"\r\n")
    if first.fullmatch(first_line) is None:
        raise NotStrictError(f"a message begins with {first_line!r}")
    return Message(first_line, [_field(line) for line in lines]), rest


def _field(line: bytes) -> tuple[str, bytes]:
    match = _FIELD.fullmatch(line)
    if match is None:
        raise NotStrictError(f"{line!r} is no field")
    return match[1].decode().lower(), match[2].rstrip(b" \t")


def _chunked(data: bytes) -> tuple[bytes, Fields, bytes] | None:
    """Return body, trailers and rest; None when they are not whole."""
    body = b""
    while True:
        if b"\r\n" not in data:
            return None
        match = _CHUNK.match(data)
        if match is None:
            raise NotStrictError(f"{data[:30]!r} is no chunk")
        size, data = int(match[1], 16), data[match.end() :]
        if size == 0:
            break
        if len(data) < size + 2:
            return None
        if data[size : size + 2] != b"\r\n":
            raise NotStrictError("a chunk does not end where its size says")
        body, data = body + data[:size], data[size + 2 :]
    trailers: Fields = []
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            return None
        if not line:
            return body, trailers, data
        trailers.append(_field(line))


def _length(message: Message) -> int | None:
    """Return the body's length, -1 for chunks, None where the head says nothing."""
    length, coding = message.one("content-length"), message.one("transfer-encoding")
    if length is not None and coding is not None:
        raise NotStrictError("a body has two framings")
    if coding is not None:
        if coding != b"chunked":
            raise NotStrictError(f"the transfer coding is {coding!r}")
        return -1
    if length is None:
        return None
    if not re.fullmatch(rb"[0-9]+", length):
        raise NotStrictError(f"the length is {length!r}")
    return int(length)


def _body(message: Message, length: int, rest: bytes) -> bytes | None:
    """Take the body; return what is behind it, None when it is not whole."""
    if length == -1:
        message.is_chunked = True
        read = _chunked(rest)
        if read is None:
            return None
        message.body, message.trailers, rest = read
        return rest
    if len(rest) < length:
        return None
    message.body = rest[:length]
    return rest[length:]


def requests_in(data: bytes) -> tuple[list[Message], bytes]:
    """Return the requests in what an upstream has received, and what is left of one that is not whole."""
    found = []
    while (head := _head(data, _REQUEST_LINE)) is not None:
        message, rest = head
        if len(message.all("host")) != 1:
            raise NotStrictError("there is not one Host")
        after = _body(message, _length(message) or 0, rest)
        if after is None:
            break
        found.append(message)
        data = after
    return found, data


def answers_in(data: bytes, *methods: str, switched: bool = False) -> list[Message]:
    """Return the answers to requests of these methods, with interim ones, in all that a client got until the end.

    Raises `NotStrictError` when one is cut off, or anything is behind the last one; but `switched` lets the bytes
    behind a 101 be its body.
    """
    found = []
    for method in methods:
        status = 100
        while status < 200:
            head = _head(data, _STATUS_LINE)
            if head is None:
                raise NotStrictError(f"no answer to {method}, but {data!r}")
            message, data = head
            status = message.status
            found.append(message)
            if status == 101 and switched:
                message.body = data
                return found
        length = _length(message)
        if method == "HEAD" or status in {204, 304}:
            continue
        if length is None:
            message.body, data = data, b""
            continue
        after = _body(message, length, data)
        if after is None:
            raise NotStrictError(f"the answer to {method} is cut off")
        data = after
    if data:
        raise NotStrictError(f"behind the last answer there is {data!r}")
    return found


# What readers make of bytes


def fields_of(block: bytes) -> Fields:
    """Return a block's fields, as the engine keeps them, by name and value."""
    return [_field(line) for line in block.split(b"\r\n")[1:]]


def told(events: Iterable[object]) -> list[Told]:
    """Tell events in plain values, the parts of a body as one."""
    found: list[Told] = []
    for event in events:
        match event:
            case RequestHead():
                found.append(("request", *_of_request(event)))
            case ResponseHead():
                found.append(("answer", *_of_answer(event)))
            case b"":
                pass
            case bytes():
                if found and found[-1][0] == "body":
                    found[-1] = ("body", found[-1][1] + event)  # type: ignore[operator] # both are bytes
                else:
                    found.append(("body", event))
            case End():
                found.append(("end", *event.trailers))
            case Leftover() | Switched():
                found.append(("beyond", event.data))
            case Refusal():
                found.append(("refused", event.status, event.code))
            case Broken():
                found.append(("broken",))
    return found


def _of_request(head: RequestHead) -> Told:
    return (
        head.method,
        head.target,
        head.path,
        head.query,
        head.absolute,
        head.authority,
        head.host,
        head.port,
        head.version_1_0,
        head.keeps_alive,
        head.framing,
        head.length,
        fields_of(head.block),
        fields_of(head.passing),
        [(special.name, special.value) for special in head.forwarded],
        head.via,
        head.takes_trailers,
        head.expects_continue,
        head.upgrade,
        head.max_forwards,
    )


def _of_answer(head: ResponseHead) -> Told:
    return (
        head.status,
        head.reason,
        head.version_1_0,
        head.framing,
        head.length,
        fields_of(head.passing),
        head.has_date,
        head.via,
        head.keeps_alive,
        head.idle_s,
        head.upgrade,
        head.is_chunked,
    )


def read_requests(*parts: bytes, limits: ProxyLimits = LIMITS) -> list[Event]:
    """Return what a reader makes of bytes that come in these parts; behind a wish to upgrade it is not asked again."""
    reader = RequestReader(limits)
    events: list[Event] = []
    for part in parts:
        if events and isinstance(events[-1], Leftover):
            events[-1].data += part
        else:
            events += feed_all(reader, part)
    return events


def feed_all(reader: RequestReader, data: bytes) -> list[Event]:
    """Feed a reader until it has taken all there is, or leaves the rest to the answer of a wish to upgrade."""
    events = reader.feed(data)
    while reader.stopped_at < len(data):
        rest = data[reader.stopped_at :]
        if isinstance(events[-1], Leftover):
            events[-1].data += rest
            break
        events += reader.feed(data, reader.stopped_at)
    return events


@dataclass
class ReadAnswers:
    """What a reader of answers has made of bytes, and whether it would read the answer to another request."""

    events: list[Told]
    is_broken: bool


def read_answers(method: str, *parts: bytes, closed: bool = False) -> ReadAnswers:
    """Return what a reader makes of the answer to one request; what comes behind its end is nobody's."""
    reader = ResponseReader()
    reader.expect(method)
    events: list[object] = []
    end: int | None = None
    for part in parts:
        if end is not None:
            # As on a connection that has no call: whatever comes, it is closed.
            reader.broken = True
            break
        events += reader.feed(part)
        end = _end(events)
    if closed and end is None:
        events += reader.ended()
    return ReadAnswers(told(events[:end]), reader.broken)


def _end(events: Sequence[object]) -> int | None:
    """Return how many events an answer is; None while it has not ended. An exchange does not look at those behind."""
    status = 0
    for place, event in enumerate(events, 1):
        if isinstance(event, ResponseHead):
            status = event.status
        if isinstance(event, Broken | Switched) or (isinstance(event, End) and status >= 200):
            return place
    return None


def sent_on(events: Iterable[Event], origin: Origin = SOMEONE) -> bytes:
    """Return what upstreams would get of requests, one after the other, up to a refusal."""
    out = b""
    is_chunked = False
    for event in events:
        match event:
            case RequestHead():
                is_chunked = event.framing is Framing.CHUNKED
                out += upstream_head(event, event.target, origin, b"upstream.example")
            case bytes():
                out += chunk(event) if is_chunked else event
            case End():
                out += last_chunk(event.trailers) if is_chunked else b""
            case _:
                break
    return out


def split_at(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Return data in parts that begin at these places; no part is empty."""
    cuts = sorted({place % len(data) for place in places} - {0}) if data else []
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if begin < end]


def one_by_one(data: bytes) -> list[bytes]:
    """Return data in parts of one byte each."""
    return [data[place : place + 1] for place in range(len(data))]
