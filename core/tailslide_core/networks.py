"""Networks of addresses: whether an address is in any of thousands of them.

An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`, RFC 4291 §2.5.5.2) is the IPv4 address that it carries, as which
programs see the clients of a socket that speaks both.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown

Address = tuple[int, int]
"""Its bits, 32 or 128, and its number."""

_LONGEST = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")


def parse_address(text: str) -> Address | None:
    """Return an IPv4 or IPv6 address; None for anything else, an IPv6 address with a zone included."""
    address = _address(text)
    return None if address is None else _plain(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    if len(text) > _LONGEST or "%" in text:
        return None
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except ValueError:
        return None


def _plain(address: IPv4Address | IPv6Address) -> Address:
    number = int(address)
    if address.version == 6 and number >> 32 == 0xFFFF:
        return (32, number & 0xFFFF_FFFF)
    return (address.max_prefixlen, number)


def address_of(value: object) -> Address | None:
    """Return the address that a text is; None for anything else."""
    return parse_address(value) if isinstance(value, str) else None


class Networks:
    """Networks and single addresses, by the length of their prefix."""

    __slots__ = ("_by_bits", "prefixes")

    def __init__(self, values: Iterable[object]) -> None:
        """Raise `ContractError` on `values` if one of them is not a network."""
        by_bits: dict[int, dict[int, set[int]]] = {32: {}, 128: {}}
        for value in values:
            bits, shift, number = _network(value)
            by_bits[bits].setdefault(shift, set()).add(number >> shift)
        # The shortest prefixes, which hold the most addresses, first.
        self._by_bits = {
            bits: [(shift, frozenset(numbers)) for shift, numbers in sorted(by_shift.items(), reverse=True)]
            for bits, by_shift in by_bits.items()
        }
        self.prefixes = max(map(len, self._by_bits.values()))
        """The most look-ups that an address takes."""

    def __contains__(self, address: Address) -> bool:
        bits, number = address
        return any(number >> shift in numbers for shift, numbers in self._by_bits[bits])


def _network(value: object) -> tuple[int, int, int]:
    """Return the number of bits of a network's addresses, how many of them vary within it, and its first address."""
    text, slash, prefix = value.partition("/") if isinstance(value, str) else ("", "", "")
    address = _address(text)
    if address is None or (slash and (_PREFIX.fullmatch(prefix) is None or int(prefix) > address.max_prefixlen)):
        expected = "expected networks or addresses, such as 10.0.0.0/8, 2001:db8::/32 or 10.0.0.1"
        raise ContractError("values", f"{expected}, got {shown(value, 80)}")
    shift = address.max_prefixlen - int(prefix) if slash else 0
    number = int(address)
    first = number >> shift << shift
    if first != number:
        meant = f"{type(address)(first)}/{prefix}"
        raise ContractError(
            "values", f"expected a network without host bits, got {shown(value, 80)}; perhaps {meant} or {address}"
        )
    if address.version == 6 and shift <= 32 and number >> 32 == 0xFFFF:
        return (32, shift, number & 0xFFFF_FFFF)
    return (address.max_prefixlen, shift, number)
