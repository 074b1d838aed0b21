"""Whose word is believed."""

from ipaddress import ip_network

import pytest

from tailslide_sidecar.proxy.limits import ProxyOptions


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        (None, True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_loopback_and_unix_sockets_are_trusted_unless_told_otherwise(peer: str | None, trusted: bool) -> None:
    assert ProxyOptions().is_trusted(peer) is trusted


def test_networks_of_ones_own_take_the_place_of_loopback() -> None:
    options = ProxyOptions(trusted_peers=(ip_network("10.1.0.0/16"), ip_network("fe80::/10")))
    assert options.is_trusted("10.1.255.255")
    assert options.is_trusted("::ffff:10.1.0.1")
    assert options.is_trusted("fe80::1%eth0")
    assert not options.is_trusted("10.2.0.0")
    assert not options.is_trusted("127.0.0.1")


def test_nobody_but_a_unix_socket_is_trusted_by_an_empty_list() -> None:
    options = ProxyOptions(trusted_peers=())
    assert options.is_trusted(None)
    assert not options.is_trusted("127.0.0.1")
