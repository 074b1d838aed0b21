"""The names that a listener answers to, and whose pages may write to it. Pure.

A page whose own name was made to point to 127.0.0.1 (DNS rebinding) is, to the browser, of the same origin as a
listener on loopback: it may read every answer and send anything. What gives it away is the Host that it is asked for.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tailslide_runtime.settings import ListenAddress

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 §9.2.1), as far as they are served here."""


def is_loopback(host: str) -> bool:
    """Whether a host, without port and brackets, is `localhost` or an address of this machine alone."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


@dataclass(frozen=True, slots=True)
class OwnNames:
    """Which hosts a listener is asked for rightly.

    On loopback those are `localhost`, loopback addresses and the configured names; on other addresses the names by
    which a listener is reached cannot be known, so that only configured names bound it. On a unix socket a Host says
    nothing: a browser cannot open one.
    """

    configured: frozenset[str]
    on_loopback: bool

    @classmethod
    def of(cls, address: ListenAddress, configured: Iterable[str] = ()) -> "OwnNames":
        """Return the names of a listener on `address`; `configured` are further hosts, without ports."""
        names = frozenset(name.lower().strip("[]").removesuffix(".") for name in configured)
        return cls(names, address.path is None and is_loopback(address.host.lower()))

    def has(self, host: str) -> bool:
        """Whether a host, in lower case and without port and brackets, is one of ours; "" where none was named."""
        if not host or host in self.configured:
            return True
        if self.on_loopback:
            return is_loopback(host)
        # An address is no name that anybody could point elsewhere, and what checks health asks by address.
        return not self.configured or is_loopback(host) or _is_address(host)

    def may_write(self, origin: str | None, authority: str) -> bool:
        """Whether a page of this Origin (RFC 6454 §7; None where the header is missing) may change something here.

        `authority` is the host and port that were asked for: a page that comes from there is ours.
        """
        if origin is None:
            return True
        try:
            parts = urlsplit(origin)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return False
        if not host or parts.scheme not in {"http", "https"}:
            return False  # "null" among others, which any sandboxed frame sends
        default = 443 if parts.scheme == "https" else 80
        return host in self.configured or _same(host, port or default, authority, default)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _same(host: str, port: int, authority: str, default: int) -> bool:
    try:
        asked = urlsplit(f"//{authority}")
        return (asked.hostname or "").lower() == host and (asked.port or default) == port
    except ValueError:
        return False
