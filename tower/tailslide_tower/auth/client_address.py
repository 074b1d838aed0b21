"""Whose request it is, by network address: the peer's, or what a proxy that is trusted says. Pure."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tailslide_core.fields import shown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX = "unix"
"""In the place of an address: whoever is connected to the unix socket that Tower listens on."""
MAX_FORWARDED = 32
"""So many addresses of X-Forwarded-For are looked at, from the nearest on."""


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose X-Forwarded-For is believed."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    def client(self, peer: str | None, forwarded: Iterable[str]) -> str:
        """Return the address of the client.

        `peer` is the address of the connection, None on a unix socket. `forwarded` are the values of X-Forwarded-For
        in their order. Each proxy appends the address that it was asked from, so they are read from the end: the first
        that no trusted proxy has is the client's. What stands before it was said by the client and may be anything.
        """
        address = None if peer is None else read_address(peer)
        if not (self.unix if peer is None else self._has(address)):
            return UNIX if peer is None else str(address or peer)
        named = [entry.strip() for value in forwarded for entry in value.split(",")]
        client = UNIX if address is None else str(address)
        for entry in reversed(named[-MAX_FORWARDED:]):
            address = read_address(entry)
            if address is None:
                break
            client = str(address)
            if not self._has(address):
                break
        return client

    def _has(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


def read_address(text: str) -> Address | None:
    """Read an address, with or without a port, as proxies write it; an IPv4 address in IPv6's clothes is IPv4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def limited_as(address: str) -> str:
    """Return what attempts from an address are counted under: of IPv6 the /64 network, which is one customer's."""
    read = read_address(address)
    if isinstance(read, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((read, 64), strict=False))
    return address


def read_proxies(value: object) -> TrustedProxies:
    """Read addresses and networks, separated by commas, and `unix`; raise `ValueError`."""
    if isinstance(value, TrustedProxies):
        return value
    texts: Sequence[object] = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
    networks: list[Network] = []
    unix = False
    for text in texts:
        name = text.strip() if isinstance(text, str) else ""
        if name == UNIX:
            unix = True
            continue
        try:
            networks.append(ipaddress.ip_network(name))
        except ValueError:
            raise ValueError(
                f"expected addresses or networks of proxies, like 10.0.0.5 or 10.0.0.0/8, or unix, got {shown(text)}"
            ) from None
    return TrustedProxies(tuple(networks), unix)
