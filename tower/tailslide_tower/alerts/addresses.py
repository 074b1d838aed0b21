"""Which addresses a webhook may lead to, and what its URL may say. Pure: names are resolved in `connections`.

Whoever may make a webhook makes Tower send requests. Tower stands where its database, NATS and often a cloud's metadata
service can be reached, so without these rules an editor of one app could reach them too (CWE-918, server-side request
forgery). Only public addresses are reached, and networks that the configuration allows.

Sources: IANA's registries of special-purpose addresses (RFC 6890 and its updates), RFC 6052 (NAT64), RFC 7526 (6to4).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from yarl import URL

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.networks import Address, Networks, parse_address

ALLOWED_NETWORKS_VARIABLE = "TAILSLIDE_ALERT_ALLOWED_NETWORKS"
MAX_URL = 2000

_SPECIAL_4 = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        # Public by their number, but the host's own cloud answers there. Others of this kind are link-local or private.
        ("168.63.129.16/32", "a cloud's metadata address"),
        ("169.254.169.254/32", "a cloud's metadata address"),
        ("100.100.100.200/32", "a cloud's metadata address"),
        ("192.0.0.192/32", "a cloud's metadata address"),
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a shared address of a carrier (RFC 6598)"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "an address for protocols (RFC 6890)"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a 6to4 relay's address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
_NAT64_PREFIX = int(IPv6Address("64:ff9b::")) >> 32
_SPECIAL_6 = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("fd00:ec2::254/128", "a cloud's metadata address"),
        ("fd20:ce::254/128", "a cloud's metadata address"),
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("64:ff9b:1::/48", "a NAT64 address of a local network"),
        ("2001::/23", "an address for protocols (Teredo and others)"),
        ("2001:db8::/32", "an address for documentation"),
        ("2002::/16", "a 6to4 address"),
        ("3fff::/20", "an address for documentation"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
    )
)
_UNICAST_6 = IPv6Network("2000::/3")
"""All that is handed out as global unicast so far; whatever else there is, no receiver has such an address."""


class AddressRules:
    """Which addresses webhooks may lead to."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """`allowed`: networks or addresses that may be reached though they are not public; raises `ContractError`."""
        self._texts = tuple(allowed)
        self._allowed = Networks(self._texts)

    def __repr__(self) -> str:
        return f"AddressRules(allowed={list(self._texts)})"

    def refusal(self, address: str) -> str | None:
        """Return what kind of address this is where it may not be reached; None where it may.

        An IPv4 address inside an IPv6 one, mapped (`::ffff:a.b.c.d`) or behind NAT64 (`64:ff9b::a.b.c.d`), is judged as
        what it leads to. Other ways to put one inside the other (6to4, Teredo, NAT64 of a local network) are refused.
        """
        kind = special_kind(address)
        return None if kind is None or self._allows(address) else kind

    def _allows(self, address: str) -> bool:
        parsed = parse_address(_without_zone(address))
        if parsed is None:
            return False
        return parsed in self._allowed or (_behind_nat64(parsed) or parsed) in self._allowed

    def sentence(self, host: str, kind: str) -> str:
        """Return why a host is refused, and what would allow it."""
        allow = f"to allow it, add its network to {ALLOWED_NETWORKS_VARIABLE}"
        return f"{host} is {kind}, and webhooks may lead to public addresses only; {allow}"


def special_kind(address: str) -> str | None:
    """Return what kind of address this is where it is not a public one, as in "127.0.0.1 is a loopback address"."""
    parsed = parse_address(_without_zone(address))
    if parsed is None:
        return "no address"
    bits, number = _behind_nat64(parsed) or parsed
    if bits == 32:
        special = IPv4Address(number)
        return next((kind for network, kind in _SPECIAL_4 if special in network), None)
    whole = IPv6Address(number)
    kind = next((kind for network, kind in _SPECIAL_6 if whole in network), None)
    return kind if kind is not None or whole in _UNICAST_6 else "no public address"


def _without_zone(address: str) -> str:
    """Return an address without the zone of a link-local one (`fe80::1%eth0`)."""
    return address.partition("%")[0]


def _behind_nat64(address: Address) -> Address | None:
    bits, number = address
    return (32, number & 0xFFFF_FFFF) if bits == 128 and number >> 32 == _NAT64_PREFIX else None


_PLAIN = re.compile(r"[\x21-\x7e]+")
_NUMERIC = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?$")
"""A host that systems read as an IPv4 address however it is written (WHATWG URL, "ends in a number")."""


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """Where a webhook leads. The path is a secret: whoever has it may post there."""

    text: str

    @classmethod
    def parse(cls, text: str, rules: AddressRules, field: str = "url") -> "WebhookUrl":
        """Read a URL as the HTTP client reads it; raise `ContractError`, which never repeats it."""
        if len(text) > MAX_URL:
            raise ContractError(field, f"expected at most {MAX_URL} characters, got {len(text)}")
        if _PLAIN.fullmatch(text) is None or "\\" in text:
            raise ContractError(
                field, "expected a URL of printable ASCII characters without spaces and backslashes, the rest %-encoded"
            )
        try:
            url = URL(text)
            host, port = url.host, url.port
        except ValueError as error:
            raise ContractError(field, "expected a URL like https://hooks.example.org/path") from error
        if url.scheme not in ("http", "https"):
            raise ContractError(field, f"expected a URL of http or https, got {shown(url.scheme, 20)}")
        if not host or port is None or not 0 < port < 65536:
            raise ContractError(field, "expected a URL with a host, like https://hooks.example.org/path")
        if url.user is not None or url.password is not None:
            raise ContractError(field, "expected a URL without a user name and password")
        if url.raw_fragment or text.endswith("#"):
            raise ContractError(field, "expected a URL without a fragment (#…), which is never sent")
        bare = _without_zone(host)
        if parse_address(bare) is not None:
            if kind := rules.refusal(bare):
                raise ContractError(field, rules.sentence(host, kind))
        elif _NUMERIC.search(host):
            raise ContractError(field, "expected an IPv4 address as four decimal numbers, like 192.0.2.1")
        return cls(text)

    @property
    def host(self) -> str:
        """Return the host, for messages."""
        return URL(self.text).host or ""

    @property
    def masked(self) -> str:
        """Return the URL without what makes it a secret: its path and query."""
        url = URL(self.text)
        return f"{url.origin()}/…"

    def __repr__(self) -> str:
        return f"WebhookUrl({self.masked!r})"
