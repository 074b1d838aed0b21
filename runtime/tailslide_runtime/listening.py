"""Taking an address to listen on: TCP or a unix socket, with errors that name the setting.

What is served there is the caller's: any protocol of asyncio, or an application of aiohttp through `listener`.
"""

import asyncio
import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress


@dataclass(frozen=True, slots=True)
class Bound:
    """A server that listens, and where: with its actual port when any free one was asked for."""

    server: asyncio.Server
    address: ListenAddress

    def close(self) -> None:
        """Stop to listen; a unix socket is removed."""
        self.server.close()
        if self.address.path is not None:
            self.address.path.unlink(missing_ok=True)


async def bind(
    factory: Callable[[], asyncio.BaseProtocol],
    address: ListenAddress,
    setting: str,
    *,
    socket_mode: int | None = None,
    backlog: int = 1024,
) -> Bound:
    """Start to listen; raise `StartError` that names `setting` when the address cannot be had.

    `socket_mode` are the permissions of a unix socket. One that a process has left behind is replaced, one that is
    served is not.
    """
    loop = asyncio.get_running_loop()
    try:
        if address.path is None:
            server = await loop.create_server(factory, address.host, address.port, backlog=backlog)
            return Bound(server, ListenAddress(address.host, int(server.sockets[0].getsockname()[1])))
        await refuse_if_served(address, setting)
        server = await loop.create_unix_server(factory, str(address.path), backlog=backlog)
        set_mode(address.path, socket_mode)
        return Bound(server, address)
    except OSError as error:
        raise cannot_listen(address, setting, error) from error


def set_mode(path: Path, socket_mode: int | None) -> None:
    """Set the permissions of a unix socket; None leaves them to the umask."""
    if socket_mode is not None:
        path.chmod(socket_mode)


def cannot_listen(address: ListenAddress, setting: str, error: OSError) -> StartError:
    """Return the sentence that says why an address cannot be listened on."""
    why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror or error})"
    return StartError(f"{setting}: {address} {why}; free it or choose another address")


async def refuse_if_served(address: ListenAddress, setting: str) -> None:
    """Raise `StartError` when a process answers at a unix socket, which asyncio would silently take over."""
    if address.path is None:
        return
    try:
        _, writer = await asyncio.open_unix_connection(address.path)
    except OSError:  # nothing there, or the socket of a process that is gone
        return
    writer.close()
    await writer.wait_closed()
    raise cannot_listen(address, setting, OSError(errno.EADDRINUSE, "in use"))
