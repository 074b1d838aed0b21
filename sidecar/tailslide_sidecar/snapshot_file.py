"""The snapshot's file: read once at the start, then written soon after each change. What is in it is `snapshot`'s.

It is believed only when it is ours or root's and not everybody may write to it. Whatever else is there is left as it
is, and the sidecar starts without, loudly: nobody who can make a file may keep a sidecar from starting, or tell it what
flags there are. A file of ours that is damaged, too large, another app's, or writable by everybody is put aside. When
the disk fails while running, the sidecar goes on without: fails open, logged and counted.
"""

import asyncio
import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from tailslide_core.errors import ContractError
from tailslide_runtime.errors import StartError
from tailslide_runtime.private_files import Identity, PrivateFolder, UntrustedFileError, make_folder, open_folder
from tailslide_sidecar.flag_store import Content
from tailslide_sidecar.snapshot import Snapshot, SnapshotEncoder, decode_snapshot

log = structlog.get_logger()

MAX_BYTES = 256 * 1024 * 1024
"""Of a file; more is neither read nor written. Ten thousand flags have some ten million bytes."""
MIN_INTERVAL_S = 1.0
"""A burst of changes is written once, at most so much later."""
ABANDONED_S = 60.0
"""A file that is still being written after so long is what a killed sidecar has left."""
_SHOWN_REFUSALS = 5


class ReadResult(StrEnum):
    """What came of reading the file."""

    READ = "read"
    MISSING = "missing"
    DAMAGED = "damaged"
    """It was ours and could not be used; it was put aside."""
    UNTRUSTED = "untrusted"
    """It is not ours; it was left alone."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading the file: a snapshot, or why there is none."""

    result: ReadResult
    snapshot: Snapshot | None = None


class SnapshotFile:
    """The file of one app. Several sidecars of the app and of one user may share it: each writes it whole."""

    def __init__(self, path: Path, app: str) -> None:
        self._path = path
        self._app = app
        self._writing = threading.Lock()
        self._encoder = SnapshotEncoder()

    def __repr__(self) -> str:
        return f"SnapshotFile({str(self._path)!r}, {self._app!r})"

    def check(self) -> None:
        """Raise `StartError` unless the file can be written; makes the folders above it, and tidies up beside it."""
        name = self._path.name
        try:
            make_folder(self._path.parent)
            with open_folder(self._path.parent) as folder:
                folder.probe(name)
                folder.remove_abandoned(name, time.time() - ABANDONED_S)
                exposure = folder.exposure()
                is_folder = folder.has_folder(name)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        except ValueError as error:  # a name that no file can have
            raise self._unusable(str(error)) from error
        if is_folder or not name:
            raise self._unusable("it is a folder")
        if exposure is not None:
            log.warning(
                "snapshot_folder_exposed",
                path=str(self._path.parent),
                problem=exposure,
                consequence="others can remove the snapshot, or put an older one of ours in its place",
            )

    def _unusable(self, why: str) -> StartError:
        return StartError(
            f"snapshot: {self._path} cannot be written ({why}); expected a file in a folder the sidecar may write to"
        )

    def read(self) -> Reading:
        """Return what the file holds; raise `StartError` when the disk does not let us read it."""
        try:
            with open_folder(self._path.parent) as folder:
                return self._read_in(folder)
        except FileNotFoundError:
            return Reading(ReadResult.MISSING)
        except (UntrustedFileError, PermissionError) as error:
            log.error(  # noqa: TRY400 # the problem says all; a traceback would hide it
                "snapshot_not_trusted",
                path=str(self._path),
                problem=error.strerror,
                consequence="starting without; nothing is written over a file that is not ours",
            )
            return Reading(ReadResult.UNTRUSTED)
        except OSError as error:
            raise StartError(f"snapshot: {self._path} cannot be read ({error.strerror or error})") from error

    def _read_in(self, folder: PrivateFolder) -> Reading:
        name = self._path.name
        seen = folder.identity(name)
        try:
            snapshot = decode_snapshot(folder.read(name, MAX_BYTES), self._app)
        except ContractError as error:
            return self._put_aside(folder, seen, str(error))
        except UntrustedFileError as error:
            if not error.is_ours:
                raise
            return self._put_aside(folder, seen, str(error.strerror))
        if snapshot.refused:
            log.warning(
                "snapshot_values_refused",
                path=str(self._path),
                values=len(snapshot.refused),
                problems=snapshot.refused[:_SHOWN_REFUSALS],
            )
        return Reading(ReadResult.READ, snapshot)

    def _put_aside(self, folder: PrivateFolder, seen: Identity, problem: str) -> Reading:
        """Make room for a new file; where that cannot be had, the next write takes the place of the old one."""
        try:
            aside = str(self._path.with_name(folder.set_aside(self._path.name, seen)))
        except OSError as error:
            log.warning("snapshot_stays", path=str(self._path), problem=problem, error=error.strerror or str(error))
        else:
            log.warning("snapshot_put_aside", path=aside, problem=problem)
        return Reading(ReadResult.DAMAGED)

    def write(self, content: Content, saved_at: float) -> None:
        """Replace the file, so that a reader finds the old or the new one, whole. Blocks; raises `OSError`."""
        with self._writing:
            data = self._encoder.encode(Snapshot(self._app, saved_at, content))
            if len(data) > MAX_BYTES:
                raise OSError(errno.EFBIG, f"it would have more than {MAX_BYTES} bytes")
            with open_folder(self._path.parent) as folder:
                folder.replace(self._path.name, data)


class SnapshotWriter:
    """Writes a snapshot soon after each change, and one at the end."""

    def __init__(
        self,
        file: SnapshotFile,
        content: Callable[[], Content],
        count: Callable[[str], None],
        age_s: Callable[[], float],
    ) -> None:
        """Write `content` to `file`.

        `count` is told `written` or `failed` for each try; `age_s` gives for how long there was no contact with NATS.
        """
        self._file = file
        self._age_s = age_s
        self._content = content
        self._count = count
        self._changed = asyncio.Event()
        self._failing = False

    def changed(self) -> None:
        """Say that there is something new to write."""
        self._changed.set()

    async def run(self) -> None:
        """Write after changes, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.write()
            if self._failing:
                self._changed.set()
            await asyncio.sleep(MIN_INTERVAL_S)

    async def write(self) -> None:
        """Write now."""
        try:
            await asyncio.to_thread(self._file.write, self._content(), time.time() - self._age_s())
        except OSError as error:
            if not self._failing:
                log.warning("snapshot_not_written", error=error.strerror or str(error))
            self._failing = True
            self._count("failed")
        else:
            if self._failing:
                log.info("snapshot_written_again")
            self._failing = False
            self._count("written")
