"""Files that are ours alone, in folders that other users may be able to write to.

A name in such a folder says nothing of what is behind it: it may be a link to somewhere else, a pipe that never ends,
or a file of somebody who wants it believed. So links are never followed, what is read is judged by its open
descriptor, new files have names that nobody can guess, and everything is done relative to the folder as it was opened,
whatever becomes of its path meanwhile. Modes do not depend on the umask. Blocks; what goes wrong is an `OSError`.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
MAX_ASIDE = 9
"""How many files are kept under names of the kind that `set_aside` gives."""

Identity = tuple[int, int, int]
"""What tells one content of a name from another: device, inode, and when it was written."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Without waiting for the other end of a pipe.
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class UntrustedFileError(OSError):
    """A file that must not be believed. `is_ours` says that it is a plain file of ours, which may be moved away."""

    def __init__(self, why: str, *, is_ours: bool) -> None:
        super().__init__(errno.EPERM, why)
        self.is_ours = is_ours


class PrivateFolder:
    """An open folder, and the files of ours in it. Names are those of its entries, without slashes."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def __repr__(self) -> str:
        return f"PrivateFolder({str(self._path)!r})"

    def exposure(self) -> str | None:
        """Return why others can remove or exchange what is in the folder, None when they cannot."""
        return exposure_of(os.fstat(self._descriptor))

    def read(self, name: str, limit: int) -> bytes:
        """Return what is in a file of at most `limit` bytes.

        Raises `UntrustedFileError` unless it is a plain file that belongs to us or to root, that not everybody may
        write to, and that is no larger. Its group was given the right to write by its owner, if it has it.
        """
        # Before it is opened, too: opening a device does something, and the reason for a refusal would be missing.
        _check(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False), limit)
        try:
            descriptor = os.open(name, _OLD, dir_fd=self._descriptor)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, or a socket
                raise UntrustedFileError("it was exchanged while it was opened", is_ours=False) from error
            raise
        with os.fdopen(descriptor, "rb") as file:
            _check(os.fstat(descriptor), limit)
            data = file.read(limit + 1)
        if len(data) > limit:
            raise _too_large(limit)
        return data

    def replace(self, name: str, data: bytes) -> None:
        """Write a file whole: a reader finds the old or the new one. What is there and not ours stays, and is refused.

        Both the file and its name are on the disk when this returns.
        """
        self.refuse_foreign(name)
        temporary = f".{name}.{secrets.token_hex(8)}.tmp"
        descriptor = os.open(temporary, _NEW, FILE_MODE, dir_fd=self._descriptor)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, FILE_MODE)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.rename(temporary, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=self._descriptor)
            raise
        os.fsync(self._descriptor)

    def refuse_foreign(self, name: str) -> None:
        """Raise `UntrustedFileError` when what has this name is no plain file of ours or of root's."""
        with contextlib.suppress(FileNotFoundError):
            _check_kind(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False))

    def has_folder(self, name: str) -> bool:
        """Whether what has this name is a folder of ours or of root's."""
        try:
            status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return stat.S_ISDIR(status.st_mode) and is_trusted(status.st_uid)

    def probe(self, name: str) -> None:
        """Raise `OSError` unless files can be made in here; leaves none."""
        probe = f".{name}.{secrets.token_hex(8)}.tmp"
        os.close(os.open(probe, _NEW, FILE_MODE, dir_fd=self._descriptor))
        os.unlink(probe, dir_fd=self._descriptor)

    def identity(self, name: str) -> Identity:
        """Return which file has a name now."""
        status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        return status.st_dev, status.st_ino, status.st_mtime_ns

    def set_aside(self, name: str, seen: Identity) -> str:
        """Give a file another name, one that nothing has, and return it: `.broken`, or `.broken.2` to `.broken.9`.

        Raises `OSError` when it is not the file that was seen: another process may have put a good one there.
        """
        for number in range(1, MAX_ASIDE + 1):
            aside = f"{name}.broken" if number == 1 else f"{name}.broken.{number}"
            # The name is taken by a file of ours before it is given away: so nothing of others is written over.
            try:
                os.close(os.open(aside, _NEW, FILE_MODE, dir_fd=self._descriptor))
            except FileExistsError:
                continue
            try:
                if self.identity(name) != seen:
                    raise OSError(errno.ESTALE, "another file has taken its place meanwhile")  # noqa: TRY301 # undone below
                os.rename(name, aside, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            except BaseException:
                os.unlink(aside, dir_fd=self._descriptor)
                raise
            return aside
        raise FileExistsError(errno.EEXIST, f"{name}.broken and {name}.broken.2 to .{MAX_ASIDE} are there already")

    def remove_abandoned(self, name: str, before_s: float) -> None:
        """Remove what a killed process of ours was writing under this name, last before this Unix time in seconds."""
        pattern = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]+\.tmp")
        for found in os.listdir(self._descriptor):  # noqa: PTH208 # a Path cannot stand for a descriptor
            if pattern.fullmatch(found):
                with contextlib.suppress(FileNotFoundError):  # another process tidies up, too
                    status = os.stat(found, dir_fd=self._descriptor, follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_mtime < before_s:
                        os.unlink(found, dir_fd=self._descriptor)


def exposure_of(folder: os.stat_result) -> str | None:
    """Return why others can remove or exchange what is in a folder, None when they cannot.

    Whoever may write to it for being of its group was given that right by its owner.
    """
    if not is_trusted(folder.st_uid):
        return f"it belongs to another user (uid {folder.st_uid})"
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        return f"everybody may write to it (mode {stat.S_IMODE(folder.st_mode):04o})"
    return None


@contextmanager
def open_folder(path: Path) -> Iterator[PrivateFolder]:
    """Hold a folder open until the end of the block. Links on the way to it are followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield PrivateFolder(path, descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, each for us alone."""
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def is_trusted(uid: int) -> bool:
    """Whether what belongs to this user is as good as ours: it is ours, or root's, who may do everything anyhow."""
    return uid in (0, os.geteuid())


def _check_kind(status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise UntrustedFileError("it is a symbolic link", is_ours=False)
    if not stat.S_ISREG(status.st_mode):
        raise UntrustedFileError("it is not a plain file", is_ours=False)
    if not is_trusted(status.st_uid):
        raise UntrustedFileError(f"it belongs to another user (uid {status.st_uid})", is_ours=False)


def _check(status: os.stat_result, limit: int) -> None:
    _check_kind(status)
    if status.st_mode & stat.S_IWOTH:
        raise UntrustedFileError(f"everybody may write to it (mode {stat.S_IMODE(status.st_mode):04o})", is_ours=True)
    if status.st_size > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> UntrustedFileError:
    return UntrustedFileError(f"it has more than {limit} bytes", is_ours=True)
