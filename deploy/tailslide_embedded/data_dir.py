"""The folder in which one machine's Tailslide keeps everything: the servers' data, secrets, ports, logs, and two locks.

`lock` belongs to the supervisor. `servers.lock` is held by every child too, so that it is free only when none of them
is left: after a `kill -9` of the supervisor the next start waits for that, and no data is ever served twice.
Each process has a folder that it alone writes to, and when root starts it a user of its own that owns nothing else.
What the servers keep inside their folders is not known here.
"""

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import secrets
import stat
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO

import platformdirs

from tailslide_embedded.users import (
    RunAs,
    check_way_of_root,
    hand_over,
    has_name,
    is_root,
    name_of,
    open_way,
    unused_id,
)
from tailslide_runtime.errors import StartError

_LEFTOVERS_TIMEOUT_S = 15.0
# `env` looks at the lock for an instant, which must not keep a start from getting it.
_LOCK_TIMEOUT_S = 0.5
_POLL_S = 0.02
# A folder that has one of these is a data folder.
_OURS = ("lock", "servers.lock", "secrets.json", "state.json")
# What a fresh file system holds.
_NOTHING = {"lost+found"}


class DataDir:
    """A data folder that this process holds. Files in it are for its owner only."""

    def __init__(self, path: Path, servers_lock: int) -> None:
        self.path = path
        self.keep_open = (servers_lock,)
        """What each child has to inherit: the descriptor of `servers.lock`."""

    def folder(self, name: str, owner: RunAs | None = None) -> Path:
        """Return the folder of that name, made if missing, for `owner` alone (None: for this process's user)."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        if owner is not None:
            open_way(self.path, owner)
            hand_over(path, owner)
        return path

    def user(self, process: str) -> RunAs | None:
        """Return the user that the process of that name runs as, chosen once; None when we are not root."""
        if not is_root():
            return None
        file = self.path / "state.json"
        state = _read(file)
        known = state.get("users")
        users = {str(name): number for name, number in known.items()} if isinstance(known, dict) else {}
        number = users.get(process)
        # An account that was added since has the id now: what is ours must not become its own.
        if not isinstance(number, int) or number <= 0 or has_name(number):
            number = users[process] = unused_id({one for one in users.values() if isinstance(one, int)})
            state["users"] = users
            self.write_private(file, _json(state))
        return RunAs(number, number)

    def log(self, name: str) -> Path:
        """Return where the log of that name is."""
        return self.folder("logs") / f"{name}.log"

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(24)) -> str:
        """Return the secret of that name, made at its first use and kept from then on."""
        path = self.path / "secrets.json"
        known = _read(path)
        value = known.get(name)
        if value is None:
            value = known[name] = make()
            self.write_private(path, _json(known))
        if not isinstance(value, str):
            raise StartError(f"{path}: {name!r} is not a string; put the old file back or remove the entry")
        return value

    def remembered_port(self, server: str) -> int | None:
        """Return the port that the server had the last time, or None."""
        ports = _read(self.path / "state.json").get("ports")
        port = ports.get(server) if isinstance(ports, dict) else None
        return port if isinstance(port, int) and 0 < port < 65536 else None

    def remember_ports(self, ports: Mapping[str, int]) -> None:
        """Keep the ports of these servers for the next start."""
        state = _read(self.path / "state.json")
        before = state.get("ports")
        state["ports"] = {**(before if isinstance(before, dict) else {}), **ports}
        self.write_private(self.path / "state.json", _json(state))

    def publish_environment(self, environment: Mapping[str, Mapping[str, str]] | None) -> None:
        """Tell other processes of this user how to reach what runs here; None when nothing runs any more.

        `environment` has the settings by whom they are for, as `environments.published` gives them.
        """
        state = _read(self.path / "state.json")
        state["environment"] = environment
        self.write_private(self.path / "state.json", _json(state))

    def write_private(self, path: Path, text: str, reader: RunAs | None = None) -> None:
        """Write a file for its owner alone, and `reader` if given, whole or not at all; raise StartError if that fails.

        The folder may belong to a server: a link that lies in it is never followed.
        """
        new = path.with_name(f"{path.name}.new")
        try:
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                if reader is not None:
                    os.fchown(descriptor, -1, reader.gid)
                    os.fchmod(descriptor, 0o640)
                file.write(text)
            new.replace(path)
        except OSError as error:
            raise StartError(f"{path} cannot be written: {error.strerror or error}") from error


def default_data_dir() -> Path:
    """Return the platform's folder for Tailslide's data: the user's, or for root on Linux the machine's."""
    if sys.platform == "linux" and os.geteuid() == 0:
        return Path("/var/lib/tailslide")
    return platformdirs.user_data_path("tailslide")


@asynccontextmanager
async def open_data_dir(path: Path) -> AsyncIterator[DataDir]:
    """Make the folder if it is missing and hold it.

    Raises StartError when it cannot be made or written, when another process holds it, or when servers of a run that
    was killed are still there after a while.
    """
    path = _absolute(path)
    with contextlib.ExitStack() as files:
        try:
            _make(path)
            _check_owner(path)
            own = files.enter_context(_open_lock(path / "lock"))
            servers = files.enter_context(_open_lock(path / "servers.lock"))
        except OSError as error:
            raise StartError(f"--data-dir: {path} cannot be used as data folder: {error.strerror or error}") from error
        if not await _locked(own.fileno(), _LOCK_TIMEOUT_S):
            raise StartError(f"--data-dir: {path} is in use by {holder_of(path)}; stop it or choose another folder")
        own.truncate(0)
        own.write(f"process {os.getpid()}\n")
        own.flush()
        if not await _locked(servers.fileno(), _LEFTOVERS_TIMEOUT_S):
            raise StartError(
                f"--data-dir: {path} is in use by servers that a killed run has left; end those that run with files "
                f"in that folder, then start again"
            )
        yield DataDir(path, servers.fileno())


def environment_of_running(path: Path, whom: str) -> dict[str, str]:
    """Return the settings that what runs on a data folder has published for `sidecar`, `admin` or `keys`.

    Raises StartError when nothing runs there.
    """
    path = _absolute(path)
    nothing = StartError(f"nothing runs on {path}: start it with tailslide up, or say which folder with --data-dir")
    try:
        with (path / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # held by who runs it
            else:
                raise nothing
        published = _read(path / "state.json").get("environment")
    except FileNotFoundError:
        raise nothing from None
    except OSError as error:
        raise StartError(f"--data-dir: {path} cannot be read: {error.strerror or error}") from error
    environment = published.get(whom) if isinstance(published, dict) else None
    if not isinstance(environment, dict) or not environment:
        raise StartError(f"what runs on {path} is not ready yet: try again when it says so")
    return {str(name): str(value) for name, value in environment.items()}


def holder_of(path: Path) -> str:
    """Return which process holds a data folder, in words; `another process` when that cannot be read."""
    try:
        return (path / "lock").read_text(encoding="utf-8").strip() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"


def working_directory() -> Path:
    """Return it; raise StartError when it was removed, which the shell that started us may not have noticed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise StartError("the working directory was removed: change to one that exists, then start again") from None


def _absolute(path: Path) -> Path:
    path = path.expanduser()
    return (path if path.is_absolute() else working_directory() / path).resolve()


def _make(path: Path) -> None:
    # The users that root's servers run as have to pass through; what lies in the folders stays closed to them.
    mode = 0o711 if is_root() else 0o700
    for folder in (*reversed(path.parents), path):
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder") from None
        else:
            folder.chmod(mode)


def _check_owner(path: Path) -> None:
    """Raise StartError when the folder holds other things, or when somebody else could change what it holds."""
    names = {entry.name for entry in path.iterdir()} - _NOTHING
    if names and not names.intersection(_OURS):
        raise StartError(
            f"--data-dir: {path} holds other files ({min(names)}) and no data of Tailslide: "
            f"choose a new or an empty folder"
        )
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise StartError(
            f"--data-dir: {path} belongs to {name_of(status.st_uid)}: "
            f"run tailslide as that user, or choose another folder"
        )
    path.chmod(stat.S_IMODE(status.st_mode) & ~0o022)
    if is_root():
        check_way_of_root(path)


def _open_lock(path: Path) -> TextIO:
    """Open a lock for its owner alone: who can open it can lock it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "r+")


async def _locked(descriptor: int, timeout_s: float) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(_POLL_S)
        else:
            return True


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise StartError(f"{path} is not valid JSON ({error}): put the old file back or remove it") from error
    if not isinstance(content, dict):
        raise StartError(f"{path} does not hold a JSON object: put the old file back or remove it")
    return content


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
