"""The last good rulesets and circuits on disk, so that a sidecar can start without NATS.

One JSON file, replaced as a whole: `{"format", "checksum", "saved_at", "app", "rulesets", "circuits", "mark"}`, the
checksum being the SHA-256 of all the rest, and `mark` the latest of Tower's marks or null. A file that is damaged, or
another app's, is put aside and never used. When the disk fails while running, the sidecar goes on without: fails open,
logged and counted.
"""

import asyncio
import contextlib
import glob
import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import orjson
import structlog

from tailslide_core.circuit import Circuit
from tailslide_core.contracts import circuit_json, decode_circuit, decode_mark, decode_ruleset, mark_json, ruleset_json
from tailslide_core.errors import ContractError
from tailslide_core.fields import read_object
from tailslide_core.ruleset import Ruleset
from tailslide_runtime.errors import StartError
from tailslide_sidecar.flag_store import Content

log = structlog.get_logger()

FORMAT = 1
MIN_INTERVAL_S = 1.0
"""A burst of changes is written once, at most so much later."""
ABANDONED_S = 60.0
"""A file that is still being written after so long is what a killed sidecar has left."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a file holds; at `saved_at`, Unix time in seconds, it was still what NATS said."""

    app: str
    saved_at: float
    content: Content


class SnapshotEncoder:
    """Writes one snapshot after the other, at the cost of what has changed in between.

    It is asked up to once a second, beside a loop that answers requests, and shares the interpreter's lock with it.
    """

    def __init__(self) -> None:
        self._rulesets: _Written[Ruleset] = {}
        self._circuits: _Written[Circuit] = {}

    def encode(self, snapshot: Snapshot) -> bytes:
        """Return the bytes of a snapshot; its content is in the order and form that the checksum is made of."""
        content = snapshot.content
        self._rulesets = _write(content.rulesets, ruleset_json, self._rulesets)
        self._circuits = _write(content.circuits, circuit_json, self._circuits)
        body = b'{"app":%b,"circuits":%b,"format":%d,"mark":%b,"rulesets":%b,"saved_at":%b}' % (
            orjson.dumps(snapshot.app),
            _object(self._circuits),
            FORMAT,
            _sorted_json(None if content.mark is None else mark_json(content.mark)),
            _object(self._rulesets),
            orjson.dumps(snapshot.saved_at),
        )
        return b'{"checksum":"%b",%b' % (hashlib.sha256(body).hexdigest().encode(), body[1:])


_Value = TypeVar("_Value")
_Written = dict[str, tuple[_Value, bytes]]


def _write(
    values: Mapping[str, _Value], json: Callable[[_Value], object], before: _Written[_Value]
) -> _Written[_Value]:
    """Return each value with its JSON, in the order of the keys; what was written before is not written again."""
    written: _Written[_Value] = {}
    for key in sorted(values):
        value, known = values[key], before.get(key)
        written[key] = known if known is not None and known[0] is value else (value, _kept(_sorted_json(json(value))))
    return written


def _kept(data: bytes) -> bytes:
    """Return a copy, since what orjson returns holds on to the whole of its buffer, a kilobyte or more."""
    return bytes(memoryview(data))


def _object(written: _Written[_Value]) -> bytes:
    return b"{" + b",".join(b'"%b":%b' % (key.encode(), data) for key, (_, data) in written.items()) + b"}"


def _sorted_json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def decode_snapshot(data: bytes, app: str) -> Snapshot:
    """Read a snapshot of an app; raise `ContractError` that says what is wrong with it."""
    fields = read_object(data)
    if fields.integer("format") != FORMAT:
        raise ContractError("format", f"expected {FORMAT}, got {fields.integer('format')}")
    body = orjson.loads(data)
    if body.pop("checksum", None) != _checksum(body):
        raise ContractError("checksum", "expected that of the content, got another; the file is damaged")
    if fields.string("app") != app:
        raise ContractError("app", f"expected {app}, got {fields.string('app')}")
    mark = body.get("mark")
    return Snapshot(
        app,
        fields.number("saved_at", low=0),
        Content(
            {key: decode_ruleset(orjson.dumps(value)) for key, value in body["rulesets"].items()},
            {key: decode_circuit(orjson.dumps(value)) for key, value in body["circuits"].items()},
            None if mark is None else decode_mark(orjson.dumps(mark)),
        ),
    )


def _checksum(body: dict[str, object]) -> str:
    return hashlib.sha256(_sorted_json(body)).hexdigest()


class SnapshotFile:
    """The file of one app. Several sidecars of the app may share it: each writes it whole."""

    def __init__(self, path: Path, app: str) -> None:
        self._path = path
        self._app = app
        self._writing = threading.Lock()
        self._encoder = SnapshotEncoder()

    def check(self) -> None:
        """Raise `StartError` unless the file can be written; makes the folders above it, and tidies up beside it."""
        probe = self._beside("probe")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
            self._remove_abandoned()
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        if self._path.is_dir():
            raise self._unusable("it is a folder")

    def _remove_abandoned(self) -> None:
        for left in self._path.parent.glob(f".{glob.escape(self._path.name)}.*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # another sidecar of the app tidies up, too
                if time.time() - left.stat().st_mtime > ABANDONED_S:
                    left.unlink()

    def _unusable(self, why: str) -> StartError:
        return StartError(
            f"snapshot: {self._path} cannot be written ({why}); expected a file in a folder the sidecar may write to"
        )

    def read(self) -> Snapshot | None:
        """Return what the file holds; None when there is none, or none that can be used."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StartError(f"snapshot: {self._path} cannot be read ({error.strerror or error})") from error
        try:
            return decode_snapshot(data, self._app)
        except ContractError as error:
            aside = self._path.with_name(f"{self._path.name}.broken")
            self._path.replace(aside)
            log.warning("snapshot cannot be used and is put aside", path=str(aside), problem=str(error))
            return None

    def write(self, content: Content, saved_at: float) -> None:
        """Replace the file, so that a reader finds the old or the new one, whole. Blocks; raises `OSError`."""
        with self._writing:
            data = self._encoder.encode(Snapshot(self._app, saved_at, content))
            temporary = self._beside("tmp")
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self._path)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()
                raise
            _sync_folder(self._path.parent)

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(f".{self._path.name}.{os.getpid()}.{suffix}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
                log.warning("snapshot cannot be written", error=error.strerror or str(error))
            self._failing = True
            self._count("failed")
        else:
            if self._failing:
                log.info("snapshot can be written again")
            self._failing = False
            self._count("written")
