"""Which addresses are asked for, which are free, and which one a server gets. Opens no connection."""

import errno
import ipaddress
import secrets
import socket
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress

LOOPBACK = "127.0.0.1"
FIRST_PORT = 11_000
"""Below are most ports that servers are known by, and 10080, which browsers refuse."""
BLOCK = 64
_IANA_EPHEMERAL_PORT = 49_152
"""RFC 6335, section 6; what systems other than Linux keep to."""


def parse_listen(text: str, option: str) -> ListenAddress:
    """Read `host:port`, port 0 for any free one; raise StartError that names the option when it is not that."""
    try:
        address = ListenAddress.parse(text)
    except ValueError:
        address = None
    if address is None or address.path is not None:
        raise StartError(f"{option}: expected host:port with a port of 0 to 65535, got {text!r}")
    return address


def reachable(address: ListenAddress) -> ListenAddress:
    """Return where this machine reaches a listener: for a wildcard host that is loopback."""
    try:
        host = ipaddress.ip_address(address.host)
    except ValueError:
        return address
    if not host.is_unspecified:
        return address
    return ListenAddress(LOOPBACK if host.version == 4 else "::1", address.port)


def is_free(address: ListenAddress) -> bool:
    """Tell whether a server could listen there now. Raises OSError when the host is not one of this machine."""
    family, kind, protocol, _, target = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        # As servers do it: connections of the last run that still wait to be forgotten are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(target)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def first_ephemeral_port(file: Path = Path("/proc/sys/net/ipv4/ip_local_port_range")) -> int:
    """Return the first of the ports that the system gives to outgoing connections; `file` is where Linux tells it."""
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _IANA_EPHEMERAL_PORT


def _claim(port: int) -> bool:
    """Keep a port bound until this process ends; False when somebody else has it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as claim:
        try:
            claim.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        claim.detach()  # open, but nobody's to close
        return True


def _any_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class FreePorts:
    """Loopback ports for the servers that one process starts, none twice, each free when it is given.

    They are below the ports of outgoing connections: one of these could have the port before its server listens, or
    while it is started again. A process takes its ports from blocks that nobody else takes from as long as it lives.
    It owns a block by keeping the first port of it bound, so the kernel is the judge, and nothing is left to clean up.
    (The same is done by `freeport` in the Go SDK of Consul.) Where there are no such ports, the system chooses.
    """

    def __init__(
        self,
        ephemeral_from: int,
        *,
        claim: Callable[[int], bool] = _claim,
        is_free: Callable[[ListenAddress], bool] = is_free,
        any_port: Callable[[], int] = _any_port,
        choose: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        """`choose` says with which of so many blocks to begin; the other functions stand for the system's ports."""
        blocks = range(FIRST_PORT, ephemeral_from - BLOCK + 1, BLOCK)
        start = choose(len(blocks)) if blocks else 0
        self._blocks = iter([*blocks[start:], *blocks[:start]])
        self._block = iter(range(0))
        self._claim = claim
        self._is_free = is_free
        self._any_port = any_port
        self._given: set[int] = set()
        self._lock = threading.Lock()

    def take(self) -> int:
        """Return another port."""
        with self._lock:
            while True:
                for port in self._block:
                    if self._is_free(ListenAddress(LOOPBACK, port)):
                        return port
                first = next(self._blocks, None)
                if first is None:
                    return self._take_any()
                if self._claim(first):
                    self._block = iter(range(first + 1, first + BLOCK))

    def _take_any(self) -> int:
        while (port := self._any_port()) in self._given:
            pass
        self._given.add(port)
        return port


@cache
def _of_this_process() -> FreePorts:
    return FreePorts(first_ephemeral_port())


def any_free_port() -> int:
    """Return a loopback port that is free now, and that this process has not been given before."""
    return _of_this_process().take()


class PortChooser:
    """Gives each server of one run its port, none twice. The two functions stand for the system's ports."""

    def __init__(
        self,
        *,
        is_free: Callable[[ListenAddress], bool] = is_free,
        any_free_port: Callable[[], int] = any_free_port,
    ) -> None:
        self._is_free = is_free
        self._any_free_port = any_free_port
        self._taken: set[int] = set()

    def port(self, given: int | None, remembered: int | None, option: str) -> int:
        """Return the given port, else the remembered one if it is free, else a free one.

        Raises StartError that names the option when the given port is in use.
        """
        if given is not None:
            return self.listen(ListenAddress(LOOPBACK, given), option).port
        if remembered is None or remembered in self._taken or not self._is_free(ListenAddress(LOOPBACK, remembered)):
            remembered = self._free()
        self._taken.add(remembered)
        return remembered

    def listen(self, wanted: ListenAddress, option: str) -> ListenAddress:
        """Return the wanted address, with a free port in the place of 0; raises StartError when it is in use."""
        if wanted.port == 0:
            wanted = ListenAddress(wanted.host, self._free())
        try:
            free = wanted.port not in self._taken and self._is_free(wanted)
        except OSError as error:
            raise StartError(f"{option}: cannot listen on {wanted}: {error.strerror or error}") from error
        if not free:
            raise StartError(f"{option}: {wanted} is in use; choose another port or stop what listens there")
        self._taken.add(wanted.port)
        return wanted

    def _free(self) -> int:
        while (port := self._any_free_port()) in self._taken:
            pass
        return port
