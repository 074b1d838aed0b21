from collections.abc import Collection, Sequence
from itertools import chain, repeat
from pathlib import Path

import pytest

from tailslide_embedded.addresses import (
    BLOCK,
    FIRST_PORT,
    FreePorts,
    PortChooser,
    first_ephemeral_port,
    parse_listen,
    reachable,
)
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress


def chooser(*, in_use: frozenset[int] = frozenset(), free: Sequence[int] = (50001, 50002)) -> PortChooser:
    ports = iter(free)
    return PortChooser(is_free=lambda address: address.port not in in_use, any_free_port=lambda: next(ports))


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:4142", "127.0.0.1", 4142), ("localhost:0", "localhost", 0), ("[::1]:80", "::1", 80)],
)
def test_a_listen_address_is_host_and_port(text: str, host: str, port: int) -> None:
    assert parse_listen(text, "--tower-listen") == ListenAddress(host, port)


@pytest.mark.parametrize("text", ["", "4142", ":4142", "host:", "host:70000", "host:x", "::1:80", "unix:/run/tower"])
def test_anything_else_is_one_sentence_that_names_the_option(text: str) -> None:
    with pytest.raises(StartError, match=r"^--tower-listen: expected host:port .* got ") as error:
        parse_listen(text, "--tower-listen")
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("listener", "reached"),
    [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.7:1", "10.0.0.7:1"), ("tower:1", "tower:1")],
)
def test_a_wildcard_is_reached_on_loopback(listener: str, reached: str) -> None:
    assert str(reachable(ListenAddress.parse(listener))) == reached


def test_a_given_port_wins() -> None:
    assert chooser().port(4222, 50009, "--nats-port") == 4222


def test_a_given_port_in_use_is_one_sentence_with_the_option_and_the_address() -> None:
    with pytest.raises(StartError, match=r"^--nats-port: 127\.0\.0\.1:4222 is in use;"):
        chooser(in_use=frozenset({4222})).port(4222, None, "--nats-port")


def test_the_remembered_port_comes_next() -> None:
    assert chooser().port(None, 50009, "--nats-port") == 50009


def test_a_remembered_port_in_use_gives_way_to_a_free_one() -> None:
    assert chooser(in_use=frozenset({50009})).port(None, 50009, "--nats-port") == 50001


def test_no_port_is_given_twice() -> None:
    ports = chooser(free=(50001, 50001, 50002))
    assert ports.port(None, None, "--nats-port") == 50001
    assert ports.port(None, None, "--redis-port") == 50002
    assert ports.port(4222, None, "--postgres-port") == 4222
    with pytest.raises(StartError, match=r"^--tower-listen: 127\.0\.0\.1:4222 is in use"):
        ports.listen(ListenAddress("127.0.0.1", 4222), "--tower-listen")


def test_port_0_is_any_free_one() -> None:
    assert chooser().listen(ListenAddress("0.0.0.0", 0), "--tower-listen") == ListenAddress("0.0.0.0", 50001)


def test_a_host_that_is_not_ours_is_one_sentence() -> None:
    def refuse(address: ListenAddress) -> bool:
        raise OSError(99, "Cannot assign requested address")

    with pytest.raises(StartError, match=r"^--tower-listen: cannot listen on 8\.8\.8\.8:80: Cannot assign"):
        PortChooser(is_free=refuse).listen(ListenAddress("8.8.8.8", 80), "--tower-listen")


@pytest.mark.parametrize(
    ("text", "first"), [("32768\t60999\n", 32768), ("1024 65535", 1024), ("", 49152), ("auto", 49152), (None, 49152)]
)
def test_the_ports_of_outgoing_connections_are_read_from_the_system(
    tmp_path: Path, text: str | None, first: int
) -> None:
    file = tmp_path / "ip_local_port_range"
    if text is not None:
        file.write_text(text)
    assert first_ephemeral_port(file) == first


EPHEMERAL_FROM = FIRST_PORT + 4 * BLOCK
SYSTEM = range(50_000, 50_003)


def free_ports(
    claimed: set[int],
    *,
    ephemeral_from: int = EPHEMERAL_FROM,
    in_use: Collection[int] = (),
    begin: int = 0,
) -> FreePorts:
    """Return the ports of one process; `claimed` is shared by those that run beside each other."""

    def claim(port: int) -> bool:
        if port in claimed:
            return False
        claimed.add(port)
        return True

    system = chain(*(repeat(port, 2) for port in SYSTEM))
    return FreePorts(
        ephemeral_from,
        claim=claim,
        is_free=lambda address: address.port not in in_use,
        any_port=lambda: next(system),
        choose=lambda _: begin,
    )


@pytest.mark.parametrize("begin", range(4))
def test_free_ports_are_below_those_of_outgoing_connections_and_none_is_given_twice(begin: int) -> None:
    claimed = set[int]()
    ports = free_ports(claimed, begin=begin)
    given = [ports.take() for _ in range(4 * (BLOCK - 1))]
    assert given[0] == FIRST_PORT + begin * BLOCK + 1
    assert set(given) | claimed == set(range(FIRST_PORT, EPHEMERAL_FROM))
    assert len(given) + len(claimed) == EPHEMERAL_FROM - FIRST_PORT
    assert [ports.take() for _ in SYSTEM] == list(SYSTEM), "when there are no more"


def test_free_ports_leave_out_what_is_in_use() -> None:
    ports = free_ports(set(), in_use={FIRST_PORT + 1, FIRST_PORT + 3})
    assert [ports.take(), ports.take()] == [FIRST_PORT + 2, FIRST_PORT + 4]


def test_free_ports_of_two_processes_are_disjoint() -> None:
    claimed = set[int]()
    one, other = free_ports(claimed), free_ports(claimed)
    given = [ports.take() for _ in range(2 * (BLOCK - 1)) for ports in (one, other)]
    assert len(set(given)) == len(given)
    assert max(given) < EPHEMERAL_FROM


@pytest.mark.parametrize("ephemeral_from", [0, 1024, FIRST_PORT, FIRST_PORT + BLOCK - 1])
def test_free_ports_are_the_system_s_choice_where_outgoing_connections_may_have_any(ephemeral_from: int) -> None:
    ports = free_ports(set(), ephemeral_from=ephemeral_from)
    assert [ports.take() for _ in SYSTEM] == list(SYSTEM)
