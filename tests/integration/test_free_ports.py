"""The ports that servers of tests and of `tailslide up` are started on, as this machine has them."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tailslide_embedded.addresses import BLOCK, FIRST_PORT, LOOPBACK, any_free_port, first_ephemeral_port

NUMBER = BLOCK + 10
EPHEMERAL_FROM = first_ephemeral_port()
# Both begin with the same block, so that only the claims keep them apart. The second line waits for its end.
PROGRAM = f"""
from tailslide_embedded.addresses import FreePorts
ports = FreePorts({EPHEMERAL_FROM}, choose=lambda _: 0)
print(*(ports.take() for _ in range({NUMBER})), flush=True)
input()
"""

pytestmark = pytest.mark.skipif(EPHEMERAL_FROM < FIRST_PORT + 100 * BLOCK, reason="outgoing connections have them all")


@pytest.fixture
def both() -> Iterator[list["subprocess.Popen[str]"]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(2)
        ]


def test_ports_of_two_processes_at_once_are_disjoint_and_no_outgoing_connection_has_them(
    both: list["subprocess.Popen[str]"],
) -> None:
    given = []
    for process in both:
        assert process.stdout is not None
        given += [int(port) for port in process.stdout.readline().split()]
    assert len(set(given)) == len(given) == 2 * NUMBER
    assert set(given) <= set(range(FIRST_PORT, EPHEMERAL_FROM))


def test_port_can_be_listened_on_again_after_its_server_has_ended() -> None:
    port = any_free_port()
    assert port in range(FIRST_PORT, EPHEMERAL_FROM)
    for _ in range(2):
        with (
            socket.create_server((LOOPBACK, port)) as server,
            socket.create_connection((LOOPBACK, port)) as client,
            server.accept()[0] as accepted,
        ):
            accepted.shutdown(socket.SHUT_RDWR)  # the side that ends first remembers the connection for a while
            assert client.recv(1) == b""
    assert any_free_port() != port
