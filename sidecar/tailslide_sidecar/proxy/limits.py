"""What the proxy lets clients do, whom it believes, and what it tells of calls. Pure values with their defaults.

Limits of one route (its timeouts, the size of its bodies, its calls at a time) are in `routes`. How all of it is
written in a file is `tailslide_sidecar.config_file`.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """What one client, or all of them, may take of the proxy. Sizes in bytes, times in milliseconds."""

    max_header_bytes: int = 65_536
    """All header fields of one request, with their names; more is answered 431."""
    max_headers: int = 100
    """How many header fields one request may have; more is answered 431."""
    max_target_bytes: int = 8_192
    """The request target, path and query together; more is answered 414."""
    head_timeout_ms: int = 10_000
    """From the first byte of a request to the end of its header fields; longer is answered 408."""
    body_timeout_ms: int = 60_000
    """How long a request's body may stand still; longer is answered 408."""
    idle_timeout_ms: int = 75_000
    """How long a client's connection may wait for its next request before it is closed."""
    max_connections: int = 8_000
    """Connections of clients in all; one more is answered 503."""
    max_connections_per_peer: int | None = None
    """Connections from one address; without one there is no limit, as behind a load balancer. Unix sockets are not
    counted."""
    drain_ms: int = 8_000
    """How long running calls may take to end after SIGTERM."""
    replay_limit_bytes: int = 65_536
    """The largest request body that is held, so that a failed call can be made again to the fallback."""


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """Settings of the proxy as a whole. All but `limits` may change while it runs."""

    limits: ProxyLimits = ProxyLimits()
    trusted_peers: tuple[Network, ...] = LOOPBACK
    """Whose `Forwarded` and `X-Forwarded-*` are believed and added to; those of all others are replaced."""
    answer_header: bool = True
    """Whether answers of flagged routes say in `x-tailslide` how they were decided."""
    access_log_sample: float = 0.01
    """The share of calls that are logged, 0 to 1."""
    access_log_failures: bool = True
    """Whether calls that fail are logged whatever the share is."""

    def is_trusted(self, peer: str | None) -> bool:
        """Whether a client's word on where a request comes from is believed.

        `peer` is its address as text. None is a client on a unix socket, which is always trusted: who may open the
        socket is for the file's permissions to say. What is no address is not trusted.
        """
        return peer is None or _is_in(peer, self.trusted_peers)


@lru_cache(maxsize=1024)
def _is_in(peer: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    # A listener for both families sees clients of IPv4 in this form.
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
