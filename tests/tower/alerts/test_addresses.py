"""Which addresses and URLs webhooks may have."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_tower.alerts.addresses import AddressRules, WebhookUrl, special_kind

PUBLIC_ONLY = AddressRules()

REFUSED = [
    ("127.0.0.1", "a loopback address"),
    ("127.255.255.254", "a loopback address"),
    ("0.0.0.0", "an unspecified address"),
    ("0.1.2.3", "an unspecified address"),
    ("10.0.0.1", "a private address"),
    ("172.16.0.1", "a private address"),
    ("172.31.255.255", "a private address"),
    ("192.168.1.1", "a private address"),
    ("100.64.0.1", "a shared address of a carrier (RFC 6598)"),
    ("100.127.255.255", "a shared address of a carrier (RFC 6598)"),
    ("169.254.0.1", "a link-local address"),
    ("169.254.169.254", "a cloud's metadata address"),
    ("100.100.100.200", "a cloud's metadata address"),
    ("168.63.129.16", "a cloud's metadata address"),
    ("192.0.0.192", "a cloud's metadata address"),
    ("192.0.0.8", "an address for protocols (RFC 6890)"),
    ("192.0.2.1", "an address for documentation"),
    ("192.88.99.1", "a 6to4 relay's address"),
    ("198.19.255.255", "an address for benchmarks"),
    ("224.0.0.1", "a multicast address"),
    ("239.255.255.255", "a multicast address"),
    ("240.0.0.1", "a reserved address"),
    ("255.255.255.255", "a reserved address"),
    ("::", "an unspecified address"),
    ("::1", "a loopback address"),
    ("::ffff:127.0.0.1", "a loopback address"),
    ("::ffff:a00:1", "a private address"),
    ("::127.0.0.1", "no public address"),
    ("64:ff9b::127.0.0.1", "a loopback address"),
    ("64:ff9b::10.0.0.1", "a private address"),
    ("64:ff9b::a9fe:a9fe", "a cloud's metadata address"),
    ("64:ff9b:1::8.8.8.8", "a NAT64 address of a local network"),
    ("2002:7f00:1::", "a 6to4 address"),
    ("2002:808:808::1", "a 6to4 address"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "an address for protocols (Teredo and others)"),
    ("2001:db8::1", "an address for documentation"),
    ("fc00::1", "a private address"),
    ("fd00:ec2::254", "a cloud's metadata address"),
    ("fd12:3456::1", "a private address"),
    ("fe80::1", "a link-local address"),
    ("fe80::1%eth0", "a link-local address"),
    ("fec0::1", "a site-local address"),
    ("ff02::1", "a multicast address"),
    ("100::1", "no public address"),
    ("5f00::1", "no public address"),
    ("", "no address"),
    ("localhost", "no address"),
    ("127.1", "no address"),
]

ALLOWED = [
    "8.8.8.8",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "169.253.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize(("address", "kind"), REFUSED)
def test_address_is_refused_for_what_it_is(address: str, kind: str) -> None:
    assert special_kind(address) == kind
    assert PUBLIC_ONLY.refusal(address) == kind


@pytest.mark.parametrize("address", ALLOWED)
def test_public_address_is_allowed(address: str) -> None:
    assert PUBLIC_ONLY.refusal(address) is None


@given(st.ip_addresses(v=4))
def test_every_ipv4_address_that_is_not_global_is_refused_however_it_is_written(address: IPv4Address) -> None:
    plain = PUBLIC_ONLY.refusal(str(address))
    if not address.is_global or address.is_multicast:
        assert plain is not None
    assert PUBLIC_ONLY.refusal(f"::ffff:{address}") == plain
    assert PUBLIC_ONLY.refusal(f"64:ff9b::{address}") == plain


@given(st.ip_addresses(v=6))
def test_every_ipv6_address_that_is_not_global_is_refused(address: IPv6Address) -> None:
    inner = address.ipv4_mapped
    if inner is None and (not address.is_global or address.is_multicast):
        assert PUBLIC_ONLY.refusal(str(address)) is not None


def test_allowed_networks_let_their_addresses_through_and_no_others() -> None:
    rules = AddressRules(["10.1.0.0/16", "fd00::/8", "127.0.0.1"])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd12::1", "127.0.0.1"):
        assert rules.refusal(address) is None, address
    for address in ("10.2.0.1", "127.0.0.2", "::1", "fc00::1", "64:ff9b::10.2.0.1"):
        assert rules.refusal(address) is not None, address


def test_link_local_network_can_be_allowed_whatever_the_zone() -> None:
    assert AddressRules(["fe80::/10"]).refusal("fe80::1%eth0") is None


@pytest.mark.parametrize("network", ["10.0.0.0/33", "10.0.0.1/8", "everything", ""])
def test_allowed_network_that_is_none_is_refused(network: str) -> None:
    with pytest.raises(ContractError):
        AddressRules([network])


BAD_URLS = [
    ("", "printable ASCII"),
    ("hooks.example.org/x", "http or https"),
    ("ftp://hooks.example.org/x", "http or https"),
    ("file:///etc/passwd", "http or https"),
    ("javascript:alert(1)", "http or https"),
    ("https://", "a host"),
    ("https:///path", "a host"),
    ("https://hooks.example.org:0/x", "a host"),
    ("https://hooks.example.org:99999/x", "like https://"),
    ("https://user:secret@hooks.example.org/x", "without a user name"),
    ("https://user@hooks.example.org/x", "without a user name"),
    ("https://hooks.example.org/x#part", "without a fragment"),
    ("https://hooks.example.org/a b", "printable ASCII"),
    ("https://hooks.example.org\\@127.0.0.1/", "backslashes"),
    ("https://bücher.example/x", "printable ASCII"),
    ("https://hooks.example.org/\r\nX: y", "printable ASCII"),
    (f"https://hooks.example.org/{'x' * 2000}", "at most 2000"),
    ("http://127.0.0.1/x", "a loopback address"),
    ("http://127.0.0.1:8080/x", "a loopback address"),
    ("http://[::1]/x", "a loopback address"),
    ("http://[::ffff:127.0.0.1]/x", "a loopback address"),
    ("http://[fe80::1%25eth0]/x", "a link-local address"),
    ("http://169.254.169.254/latest/meta-data/", "a cloud's metadata address"),
    ("http://2130706433/x", "four decimal numbers"),
    ("http://0x7f.0.0.1/x", "four decimal numbers"),
    ("http://0177.0.0.1/x", "four decimal numbers"),
    ("http://127.1/x", "four decimal numbers"),
    ("http://127.0.0.1./x", "four decimal numbers"),
]


@pytest.mark.parametrize(("text", "problem"), BAD_URLS)
def test_url_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ContractError) as caught:
        WebhookUrl.parse(text, PUBLIC_ONLY)
    assert caught.value.field == "url"
    assert problem in caught.value.problem
    assert "secret" not in caught.value.problem


def test_url_is_masked_wherever_it_is_written() -> None:
    url = WebhookUrl.parse("https://hooks.example.org:8443/services/T0/B0/abcdef?token=xyz", PUBLIC_ONLY)
    assert (url.host, url.masked) == ("hooks.example.org", "https://hooks.example.org:8443/…")
    assert "abcdef" not in repr(url)


def test_url_with_an_allowed_address_is_taken() -> None:
    assert WebhookUrl.parse("http://10.0.0.5:9000/hook", AddressRules(["10.0.0.0/8"])).host == "10.0.0.5"
