"""Which hosts and which pages a listener takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_runtime.own_names import OwnNames, is_loopback
from tailslide_runtime.settings import ListenAddress

LOCAL = OwnNames.of(ListenAddress("127.0.0.1", 4141), ["Tower.Example.org."])
ANYWHERE = OwnNames.of(ListenAddress("0.0.0.0", 4141))
NAMED = OwnNames.of(ListenAddress("0.0.0.0", 4141), ["tower.example.org"])
SOCKET = OwnNames.of(ListenAddress.parse("unix:/run/flags.sock"))


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", "", "tower.example.org"]
)
def test_a_listener_on_loopback_answers_to_its_own_names(host: str) -> None:
    assert LOCAL.has(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "::",
        "2130706433",
        "127.1",
    ],
)
def test_a_listener_on_loopback_answers_to_no_other(host: str) -> None:
    assert not LOCAL.has(host)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.8.8.8:1"])
def test_loopback_is_known_in_all_its_forms(address: str) -> None:
    assert OwnNames.of(ListenAddress.parse(address)).on_loopback


def test_elsewhere_only_configured_names_bound_it() -> None:
    assert ANYWHERE.has("whatever.example")
    assert SOCKET.has("whatever.example")
    assert not NAMED.has("whatever.example")
    # What checks health asks by address, which nobody can point elsewhere.
    assert all(NAMED.has(host) for host in ("tower.example.org", "localhost", "10.1.2.3", "fd00::1"))


@pytest.mark.parametrize(
    ("origin", "authority", "may"),
    [
        (None, "localhost:4141", True),
        ("http://localhost:4141", "localhost:4141", True),
        ("http://LOCALHOST:4141", "localhost:4141", True),
        ("http://localhost", "localhost", True),
        ("http://localhost", "localhost:80", True),
        ("https://tower.example.org", "127.0.0.1:4141", True),
        ("https://other.example.org", "other.example.org", True),
        ("http://localhost:3000", "localhost:4141", False),
        ("http://localhost", "localhost:4141", False),
        ("http://evil.example", "localhost:4141", False),
        ("http://evil.example:4141", "localhost:4141", False),
        ("null", "localhost:4141", False),
        ("", "localhost:4141", False),
        ("file://", "localhost:4141", False),
        ("chrome-extension://abc", "abc", False),
        ("http://[::1", "localhost:4141", False),
        ("http://localhost:99999", "localhost:99999", False),
    ],
)
def test_only_pages_of_ours_may_write(origin: str | None, authority: str, may: bool) -> None:
    assert LOCAL.may_write(origin, authority) is may


@given(st.text(max_size=60), st.text(max_size=60))
def test_nothing_that_can_be_sent_is_an_error(host: str, origin: str) -> None:
    for names in (LOCAL, ANYWHERE, NAMED):
        names.has(host)
        names.may_write(origin, host)


@given(st.ip_addresses(v=4))
def test_an_address_is_loopback_as_its_network_says(address: object) -> None:
    assert is_loopback(str(address)) is str(address).startswith("127.")
