"""Taking an address to listen on: TCP or a unix socket, with errors that name the setting.

A socket that a service manager has opened is taken as it is.

A unix socket is at its path only once it listens with its permissions, and takes the place of nothing but a dead one of
ours.

What is served there is the caller's: any protocol of asyncio, or an application of aiohttp through `listener`.
"""

import asyncio
import contextlib
import errno
import os
import secrets
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from tailslide_runtime.errors import StartError
from tailslide_runtime.private_files import exposure_of, is_trusted
from tailslide_runtime.service_manager import Inherited
from tailslide_runtime.settings import ListenAddress
from tailslide_runtime.tls import ServerTls

log = structlog.get_logger()

Factory = Callable[[], asyncio.BaseProtocol]
Identity = tuple[int, int]
"""What tells one file from another: its device and its inode."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A server that listens, and where: with its actual port when any free one was asked for."""

    server: asyncio.Server
    address: ListenAddress
    socket_file: Identity | None = None

    def close(self) -> None:
        """Stop listening; a unix socket of ours is removed, unless another one has taken its place."""
        self.server.close()
        path, own = self.address.path, self.socket_file
        if path is not None and own is not None and _identity(path) == own:
            path.unlink(missing_ok=True)


async def bind(
    factory: Factory,
    address: ListenAddress,
    setting: str,
    *,
    socket_mode: int | None = None,
    backlog: int = 1024,
    inherited: Inherited | None = None,
    tls: ServerTls | None = None,
) -> Bound:
    """Start to listen; raise `StartError` that names `setting` when the address cannot be had.

    `socket_mode` are the permissions of a unix socket, without which they follow from the umask. One that a process of
    ours has left behind is replaced; one that is served, or of another user, and whatever else is there, is not.
    What is `inherited` takes the place of `address`; at the end it stays where it is, for the next process.
    With `tls`, which a unix socket has no use for, a connection is made once its handshake is done.
    """
    try:
        if inherited is not None:
            return await _serve_inherited(factory, inherited, backlog, tls)
        if address.path is None:
            loop = asyncio.get_running_loop()
            options = {} if tls is None else tls.listening_options()
            server = await loop.create_server(factory, address.host, address.port, backlog=backlog, **options)
            return Bound(server, ListenAddress(address.host, int(server.sockets[0].getsockname()[1])))
        bound = await _bind_unix(factory, address.path, socket_mode, backlog)
        _warn_if_exposed(address.path.parent, setting)
    except OSError as error:
        raise cannot_listen(address, setting, error) from error
    return bound


async def _serve_inherited(factory: Factory, inherited: Inherited, backlog: int, tls: ServerTls | None) -> Bound:
    loop = asyncio.get_running_loop()
    if inherited.address.path is not None:
        return Bound(await loop.create_unix_server(factory, sock=inherited.socket, backlog=backlog), inherited.address)
    options = {} if tls is None else tls.listening_options()
    server = await loop.create_server(factory, sock=inherited.socket, backlog=backlog, **options)
    return Bound(server, inherited.address)


async def _bind_unix(factory: Factory, path: Path, socket_mode: int | None, backlog: int) -> Bound:
    """Listen under a name that nobody knows, then take the path, at once and in one piece.

    Until it listens, a socket refuses connections whatever its permissions, which are set before.
    """
    dead = _dead_socket(path)
    # Not longer than most names: the system lets a path have some hundred bytes.
    hidden = path.with_name(f".{secrets.token_hex(4)}")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server: asyncio.Server | None = None
    try:
        _place(listening, hidden, socket_mode)
        server = await asyncio.get_running_loop().create_unix_server(factory, sock=listening, backlog=backlog)
        _take(path, hidden, dead)
    except BaseException:
        if server is not None:
            server.close()
        listening.close()
        with contextlib.suppress(OSError):
            hidden.unlink()
        raise
    return Bound(server, ListenAddress(path=path), _identity(path))


def _place(listening: socket.socket, hidden: Path, socket_mode: int | None) -> None:
    listening.setblocking(False)
    listening.bind(str(hidden))
    if socket_mode is not None:
        hidden.chmod(socket_mode)


def _take(path: Path, hidden: Path, dead: Identity | None) -> None:
    """Give a socket its path, where there is nothing, or still the dead one that was seen there."""
    if dead is not None and _identity(path) == dead:
        hidden.rename(path)
        return
    try:
        path.hardlink_to(hidden)  # unlike a rename, this fails where something is by now
    except FileExistsError as error:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from error
    hidden.unlink()


def _dead_socket(path: Path) -> Identity | None:
    """Return which socket is at a path and may be replaced, None when nothing is there.

    Raises `OSError` for whatever else is there, and for a path that is too long to be connected to.
    """
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        if not stat.S_ISSOCK(status.st_mode):
            raise FileExistsError(errno.EEXIST, "there is something else than a socket")
        if not is_trusted(status.st_uid):
            raise FileExistsError(errno.EEXIST, f"there is a socket of another user, uid {status.st_uid}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        found = probe.connect_ex(str(path))
    if found == errno.ECONNREFUSED:
        return _identity(path)
    if found == errno.ENOENT:
        return None
    # Also where it has no place for one more connection, or is not for us to connect to: somebody serves it.
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _identity(path: Path) -> Identity | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _warn_if_exposed(folder: Path, setting: str) -> None:
    exposure = exposure_of(folder.stat())
    if exposure is not None:
        log.warning(
            "socket_folder_exposed",
            setting=setting,
            path=str(folder),
            problem=exposure,
            consequence="others can put a socket of their own in the place of this one",
        )


def cannot_listen(address: ListenAddress, setting: str, error: OSError) -> StartError:
    """Return the sentence that says why an address cannot be listened on."""
    why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror or error})"
    return StartError(f"{setting}: {address} {why}; free it or choose another address")
