"""Networks, held against Python's own."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import networks

from tailslide_core.conditions import NO_SEGMENTS, Condition, Operator
from tailslide_core.errors import ContractError
from tailslide_core.networks import Networks, parse_address

near = st.sampled_from(["10.0.0.0", "10.0.0.255", "10.1.0.0", "2001:db8::", "2001:db8::ffff", "::", "255.255.255.255"])


def is_in(values: list[str], address: str) -> bool:
    return Condition("ip", Operator.IP_IN, tuple(values)).holds({"ip": address}, None, NO_SEGMENTS)


def unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    first = network.network_address
    if isinstance(first, IPv6Address) and first.ipv4_mapped is not None and network.prefixlen >= 96:
        return ip_network(f"{first.ipv4_mapped}/{network.prefixlen - 96}")
    return network


@given(st.lists(networks, min_size=1, max_size=5), st.ip_addresses().map(str) | near)
def test_an_address_is_in_the_networks_that_hold_it(values: list[str], text: str) -> None:
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    expected = any(address in unmapped(ip_network(value)) for value in values)
    assert is_in(values, text) is expected


@pytest.mark.parametrize(
    ("value", "address", "expected"),
    [
        ("0.0.0.0/0", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "::ffff:a00:1", True),
        ("::ffff:10.0.0.0/104", "10.0.0.1", True),
        ("::ffff:0:0/96", "10.0.0.1", True),
        ("::/0", "::ffff:10.0.0.1", False),
        ("::/0", "10.0.0.1", False),
        ("0.0.0.0/0", "::1", False),
        ("0.0.0.0/0", "::10.0.0.1", False),
    ],
)
def test_of_a_mapped_address_the_ipv4_networks_count(value: str, address: str, expected: bool) -> None:
    assert is_in([value], address) is expected


@given(networks, st.data())
def test_every_address_of_a_network_is_in_it(value: str, data: st.DataObject) -> None:
    network = ip_network(value)
    address = network[data.draw(st.integers(0, network.num_addresses - 1))]
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    if not mapped or network.prefixlen >= 96:
        assert is_in([value], str(address))
        assert is_in([value], address.exploded.upper())


@given(st.ip_addresses(v=4), networks)
def test_a_mapped_address_is_the_ipv4_one(address: IPv4Address, value: str) -> None:
    for mapped in (f"::ffff:{address}", f"::FFFF:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"):
        assert parse_address(mapped) == parse_address(str(address))
        assert is_in([value], mapped) is is_in([value], str(address))
    assert is_in([f"::ffff:{address}"], str(address))
    assert is_in([f"::ffff:{address}/128"], str(address))


@pytest.mark.parametrize(
    "text",
    [
        *["", "10", "10.0.0", "10.0.0.256", "10.0.0.01", "0x0a.0.0.1", "10.0.0.1 ", "10.0.0.1/32", "fe80::1%eth0"],
        *["fe80::1%", ":::", "1::2::3", "10.0.0.1:80", "[::1]", "g::", "\u0661.0.0.1", "localhost", "1" * 300],
        *["10.0.0.1\n", "::1\x00", "::ffff:10.0.0", "1:2:3:4:5:6:7:8:9"],
    ],
)
def test_what_is_no_address_is_in_no_network_and_not_out_of_it_either(text: str) -> None:
    assert parse_address(text) is None
    for negate in (False, True):
        condition = Condition("ip", Operator.IP_IN, ("0.0.0.0/0", "::/0"), negate)
        assert not condition.holds({"ip": text}, None, NO_SEGMENTS)


@pytest.mark.parametrize("value", [5, True, 10.5, "", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "/8"])
@pytest.mark.parametrize("more", ["::/129", "10.0.0.0/255.0.0.0", "10.0.0.0/8/8", "10.*", "fe80::%eth0/64", "::/ 8"])
def test_what_is_no_network_is_refused(value: str | float, more: str) -> None:
    for wrong in (value, more):
        with pytest.raises(ContractError, match=r"^values: expected networks or addresses, such as 10\.0\.0\.0/8"):
            Condition("ip", Operator.IP_IN, ("10.0.0.0/8", wrong))


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("10.0.0.1/8", r"10\.0\.0\.0/8 or 10\.0\.0\.1$"),
        ("192.168.1.1/24", r"192\.168\.1\.0/24 or 192\.168\.1\.1$"),
        ("2001:db8::1/32", "2001:db8::/32 or 2001:db8::1$"),
    ],
)
def test_host_bits_are_refused_with_what_was_probably_meant(value: str, meant: str) -> None:
    with pytest.raises(ContractError, match=f"^values: expected a network without host bits, got .*; perhaps {meant}"):
        Condition("ip", Operator.IP_IN, (value,))


def test_thousands_of_networks_are_looked_up_by_their_prefixes() -> None:
    values = [f"10.{number >> 8}.{number & 255}.0/24" for number in range(10_000)] + ["2001:db8::/32", "192.0.2.1"]
    many = Networks(values)
    assert many.prefixes == 2
    assert (32, int(ip_address("10.39.15.77"))) in many
    assert (32, int(ip_address("10.39.16.77"))) not in many
    assert (32, int(ip_address("192.0.2.1"))) in many
