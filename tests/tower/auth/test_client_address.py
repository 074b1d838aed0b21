import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_tower.auth.client_address import TrustedProxies, limited_as, read_proxies

PROXIES = read_proxies("10.0.0.0/8, 2001:db8:1::1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ['"[2001:db8::7]:80"'], "2001:db8::7"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, ,"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1::1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1::2", ["198.51.100.1"], "2001:db8:1::2"),
        (None, ["198.51.100.1"], "unix"),
    ],
)
def test_client_is_the_first_from_the_end_that_no_trusted_proxy_has(
    peer: str | None, forwarded: list[str], client: str
) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_unix_socket_is_trusted_by_name() -> None:
    assert read_proxies("unix").client(None, ["198.51.100.1"]) == "198.51.100.1"
    assert read_proxies("unix").client(None, []) == "unix"


@given(st.lists(st.text(max_size=20), max_size=5))
def test_what_an_untrusted_peer_says_counts_nothing(forwarded: list[str]) -> None:
    assert PROXIES.client("192.0.2.1", forwarded) == "192.0.2.1"
    assert TrustedProxies().client("10.0.0.1", forwarded) == "10.0.0.1"


@given(st.text(max_size=60))
def test_any_text_of_a_trusted_proxy_gives_an_address(forwarded: str) -> None:
    assert limited_as(PROXIES.client("10.0.0.1", [forwarded]))


def test_customer_of_ipv6_is_limited_as_one() -> None:
    assert limited_as("2001:db8::1") == limited_as("2001:db8::ffff:1") == "2001:db8::/64"
    assert limited_as("192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize("text", ["proxy.example.org", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,,10.0.0.2"])
def test_what_is_no_proxy_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected addresses or networks of proxies"):
        read_proxies(text)
