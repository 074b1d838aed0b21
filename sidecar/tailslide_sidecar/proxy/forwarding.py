"""Heads as they go on: to an upstream, and back to the client. Pure.

What is added: Via (RFC 9110 §7.6.3), Forwarded (RFC 7239) and its forerunners X-Forwarded-*, Date where an answer has
none (RFC 9110 §6.6.1), the framing and the options of the next connection. All else is as it came. Blocks and lines
begin with CR LF, as in `fields`.
"""

from tailslide_runtime.http1.fields import SpecialField
from tailslide_runtime.http1.messages import Framing
from tailslide_runtime.http1.refusals import status_line
from tailslide_runtime.http1.requests import RequestHead
from tailslide_sidecar.proxy.responses import ResponseHead

_VIA = b"1.1 tailslide"
_VIA_1_0 = b"1.0 tailslide"
VIA_LINE = b"\r\nVia: 1.1 tailslide"
LAST_CHUNK = b"0\r\n\r\n"


class Origin:
    """The client at the other end of a connection, as upstreams are told of it.

    What a trusted one says of those before it is kept and added to; what any other says is replaced.
    """

    __slots__ = ("_address", "_authority", "_block", "_node", "trusted")

    def __init__(self, address: str | None, *, trusted: bool) -> None:
        """`address` is None behind a unix socket."""
        self.trusted = trusted
        self._address = None if address is None else address.encode("ascii")
        self._node = (
            b"unknown" if address is None else f'"[{address}]"'.encode() if ":" in address else address.encode()
        )
        self._authority: bytes | None = None
        self._block = b""

    def block(self, head: RequestHead) -> bytes:
        """Return the fields that tell of the client."""
        if head.forwarded and self.trusted:
            return self._added_to(head.forwarded, head.authority)
        if head.authority != self._authority:
            self._authority, self._block = head.authority, self._added_to((), head.authority)
        return self._block

    def _added_to(self, fields: tuple[SpecialField, ...], authority: bytes) -> bytes:
        chain = _values(fields, b"x-forwarded-for")
        if self._address is not None:
            chain.append(self._address)
        lines = [b"\r\nX-Forwarded-For: " + b", ".join(chain)] if chain else []
        lines.append(b"\r\nX-Forwarded-Proto: " + (_first(fields, b"x-forwarded-proto") or b"http"))
        element = b"for=" + self._node
        if authority:
            lines.append(b"\r\nX-Forwarded-Host: " + (_first(fields, b"x-forwarded-host") or authority))
            element += b';host="%b"' % authority
        forwarded = [*_values(fields, b"forwarded"), element + b";proto=http"]
        lines.append(b"\r\nForwarded: " + b", ".join(forwarded))
        return b"".join(lines)


def _values(fields: tuple[SpecialField, ...], wanted: bytes) -> list[bytes]:
    return [field.value for field in fields if field.value and field.name.lower() == wanted]


def _first(fields: tuple[SpecialField, ...], wanted: bytes) -> bytes | None:
    return next(iter(_values(fields, wanted)), None)


def upstream_head(head: RequestHead, target: str, origin: Origin, authority: bytes) -> bytes:
    """Return the head of a request to an upstream; `authority` is for requests that name no host (HTTP/1.0)."""
    if head.opening and target is head.target:
        return b"%b%b%b%b\r\n\r\n" % (head.opening, head.passing, origin.block(head), VIA_LINE)
    rare = b""
    via = VIA_LINE
    if head.via or head.version_1_0:
        own = _VIA_1_0 if head.version_1_0 else _VIA
        via = b"\r\nVia: " + b", ".join([*head.via, own])
    if head.framing is Framing.CHUNKED:
        rare += b"\r\nTransfer-Encoding: chunked"
    if head.expects_continue:
        rare += b"\r\nExpect: 100-continue"
    if head.max_forwards is not None:
        rare += b"\r\nMax-Forwards: %d" % max(head.max_forwards - 1, 0)
    if head.upgrade:
        rare += b"\r\nConnection: Upgrade\r\nUpgrade: " + head.upgrade
    elif head.takes_trailers:
        rare += b"\r\nConnection: TE\r\nTE: trailers"
    return b"%b %b HTTP/1.1\r\nHost: %b%b%b%b%b\r\n\r\n" % (
        head.method.encode(),
        target.encode("latin-1"),
        head.authority or authority,
        head.passing,
        origin.block(head),
        via,
        rare,
    )


def framing_to(request: RequestHead, answer: ResponseHead) -> Framing:
    """Return how the client is told where the answer ends: HTTP/1.0 knows no chunks, and a close may be a break."""
    framing = answer.framing
    if framing is Framing.LENGTH or framing is Framing.NONE:
        return framing
    return Framing.UNTIL_CLOSE if request.version_1_0 else Framing.CHUNKED


_OK = b"HTTP/1.1 200 OK"


def client_head(
    request: RequestHead, answer: ResponseHead, framing: Framing, own: bytes, date: bytes, *, closes: bool
) -> bytes:
    """Return the head of an upstream's answer for the client; `own` is a block of ours, `date` a line."""
    status, reason = answer.status, answer.reason
    if answer.is_plain and not closes and not request.version_1_0:
        line = _OK if status == 200 and reason == b"OK" else status_line(status, reason)
        return b"%b%b%b%b\r\n\r\n" % (line, answer.passing, VIA_LINE, own)
    rare = b""
    via = VIA_LINE
    if answer.via or answer.version_1_0:
        via = b"\r\nVia: " + b", ".join([*answer.via, _VIA_1_0 if answer.version_1_0 else _VIA])
    if not answer.has_date:
        rare += date
    if framing is Framing.CHUNKED or (answer.is_chunked and not request.version_1_0):
        rare += b"\r\nTransfer-Encoding: chunked"
    if closes:
        rare += b"\r\nConnection: close"
    elif request.version_1_0:
        rare += b"\r\nConnection: keep-alive"
    line = _OK if status == 200 and reason == b"OK" else status_line(status, reason)
    return b"%b%b%b%b%b\r\n\r\n" % (line, answer.passing, via, own, rare)


def interim_head(answer: ResponseHead) -> bytes:
    """Return an interim answer (RFC 9110 §15.2), which goes on but for what speaks of the upstream's connection."""
    return b"%b%b\r\n\r\n" % (status_line(answer.status, answer.reason), answer.passing)


def switching_head(answer: ResponseHead, own: bytes, date: bytes) -> bytes:
    """Return a 101, behind which there is no HTTP any more."""
    return b"%b%b%b%b\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % (
        status_line(answer.status, answer.reason),
        answer.passing,
        own,
        b"" if answer.has_date else date,
        answer.upgrade,
    )


def chunk(data: bytes) -> bytes:
    """Return a part of a body as a chunk (RFC 9112 §7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: list[bytes]) -> bytes:
    """Return the end of a chunked body."""
    return b"\r\n".join([b"0", *trailers, b"\r\n"]) if trailers else LAST_CHUNK
