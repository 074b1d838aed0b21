"""What a proxy does to the head of a message on its way: which headers go on, which are added. Pure.

Follows RFC 9110 §7.6 (Connection and hop-by-hop fields, Via) and RFC 7239's forerunners X-Forwarded-*, which is what
applications read. Bodies, connections and timeouts are the proxy's.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from multidict import CIMultiDict, MultiMapping

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# A sender that lists these in Connection would make the proxy forward a message that means something else.
_NEVER_BY_HOP = frozenset({"host", "content-length", "content-type", "authorization", "cookie", "set-cookie"})
VIA = "1.1 tailslide"

RawHeaders = Iterable[tuple[bytes, bytes]]
"""Names and values as they were sent."""

_ABSOLUTE = re.compile(r"https?://(?:[^/?#@]*@)?([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes as its request line says: `origin` is path and query, byte for byte."""

    origin: str
    host: str
    """The authority of an absolute target, else empty: then the Host header says it."""

    @property
    def path(self) -> str:
        """The part before the question mark."""
        return self.origin.partition("?")[0]

    @property
    def query(self) -> str:
        """The part behind the question mark; empty when there is none."""
        return self.origin.partition("?")[2]


def read_target(target: str) -> Target:
    """Take a request target apart (RFC 9112 §3.2): origin form, absolute form as proxies get it, or `*`."""
    match = None if target.startswith("/") else _ABSOLUTE.fullmatch(target)
    if match is None:
        return Target(target, "")
    rest = match[2]
    return Target(rest if rest.startswith("/") else f"/{rest}", match[1])


def end_to_end(headers: RawHeaders) -> CIMultiDict[str]:
    """Return the headers that go on, as they are written, in their order and number.

    Those for this hop are left out, and those that Connection names.
    """
    listed = [(name.decode("latin-1"), _text(value)) for name, value in headers]
    named = {
        option.strip().lower() for name, value in listed if name.lower() == "connection" for option in value.split(",")
    }
    dropped = HOP_BY_HOP | (named - _NEVER_BY_HOP)
    return CIMultiDict((name, value) for name, value in listed if name.lower() not in dropped)


def _text(value: bytes) -> str:
    """Return a value as UTF-8 says it, else as Latin-1 does (RFC 9110 §5.5): text that can be written again."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def request_headers(headers: RawHeaders, target: Target, peer: str | None, scheme: str) -> CIMultiDict[str]:
    """Return the headers of a request to an upstream. `peer` is the client's address, None behind a unix socket.

    Host stays as the client sent it. `Expect` is left out: the proxy itself asks for the body once the upstream is
    there.
    """
    forwarded = end_to_end(headers)
    forwarded.popall("Expect", None)
    if target.host:
        forwarded["Host"] = target.host
    if peer is not None:
        chain = [*forwarded.popall("X-Forwarded-For", []), peer]
        forwarded["X-Forwarded-For"] = ", ".join(chain)
    forwarded.setdefault("X-Forwarded-Proto", scheme)
    if "Host" in forwarded:
        forwarded.setdefault("X-Forwarded-Host", forwarded["Host"])
    forwarded["Via"] = ", ".join([*forwarded.popall("Via", []), VIA])
    return forwarded


def asks_for_websocket(headers: MultiMapping[str]) -> bool:
    """Whether a request asks to switch to the WebSocket protocol (RFC 6455 §4.2.1)."""
    if headers.get("Upgrade", "").strip().lower() != "websocket":
        return False
    options = {option.strip().lower() for value in headers.getall("Connection", []) for option in value.split(",")}
    return "upgrade" in options
