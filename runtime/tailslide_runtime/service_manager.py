"""What a service manager such as systemd does for a process: it hands over sockets, and wants to know when it is ready.

A socket that the manager has opened stays open while one process ends and the next one starts: connections wait in it,
and none is refused. The protocols are those of sd_listen_fds(3) and sd_notify(3), without their library. Their
variables are no settings of ours, and without them nothing here does anything.
"""

import os
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress

log = structlog.get_logger()

READY = "READY=1"
STOPPING = "STOPPING=1"
_FIRST_DESCRIPTOR = 3


@dataclass(frozen=True, slots=True)
class Inherited:
    """A socket that listens already, and where."""

    socket: socket.socket
    address: ListenAddress


def inherited_sockets(environ: Mapping[str, str], names: Collection[str]) -> dict[str, Inherited]:
    """Return the sockets that this process was started with, by name; raise `StartError` for one without use.

    A name is what the unit's `FileDescriptorName=` says, and has to be one of `names`.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = int(environ.get("LISTEN_FDS", "0"))
    given = environ.get("LISTEN_FDNAMES", "").split(":")
    sockets: dict[str, Inherited] = {}
    for number in range(count):
        name = given[number] if number < len(given) else ""
        if name not in names:
            expected = " or ".join(sorted(names))
            raise StartError(f"the socket unit hands over {name!r}: expected FileDescriptorName={expected}")
        if name in sockets:
            raise StartError(f"the socket unit hands over two sockets named {name!r}: expected one")
        sockets[name] = _taken(_FIRST_DESCRIPTOR + number, name)
    return sockets


def _taken(descriptor: int, name: str) -> Inherited:
    os.set_inheritable(descriptor, False)
    try:
        taken = socket.socket(fileno=descriptor)
        listens = taken.type == socket.SOCK_STREAM and taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise StartError(f"what the socket unit hands over as {name!r} is no socket: {error.strerror}") from error
    if not listens:
        taken.close()
        raise StartError(f"the socket {name!r} of the socket unit does not listen: expected ListenStream=")
    taken.setblocking(False)
    return Inherited(taken, _address_of(taken))


def _address_of(taken: socket.socket) -> ListenAddress:
    name = taken.getsockname()
    if taken.family == socket.AF_UNIX:
        return ListenAddress(path=Path(os.fsdecode(name)))
    return ListenAddress(name[0], name[1])


def tell(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Tell the service manager, if there is one that wants to know, `READY` or `STOPPING`.

    Fails open: that it cannot be told is logged, and the process goes on.
    """
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"  # a name that is no path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.setblocking(False)
            told.connect(address)
            told.send(state.encode())
    except OSError as error:
        log.warning("service_manager_not_told", state=state, problem=str(error))
