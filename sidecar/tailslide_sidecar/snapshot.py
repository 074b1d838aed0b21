"""The last good rulesets and circuits on disk, so that a sidecar can start without NATS.

One JSON object: `{"format", "checksum", "saved_at", "app", "rulesets", "circuits", "segments", "mark"}`. The checksum
is the SHA-256 of all the rest, and `mark` the latest of Tower's marks or null. It finds damage, not malice: whose
word a file is believed for is `snapshot_file`'s to say. Pure.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import orjson

from tailslide_core.circuit import Circuit
from tailslide_core.contracts import Mark, circuit_json, decode_circuit, decode_mark, mark_json
from tailslide_core.errors import ContractError
from tailslide_core.fields import Fields, read_object, shown
from tailslide_core.flag_contracts import decode_ruleset, decode_segment, ruleset_json, segment_json
from tailslide_core.naming import FlagId, SegmentId, check_flag_key
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment
from tailslide_sidecar.flag_store import Content

FORMAT = 1
_LATEST_S = 1e11
"""Bound of times, in seconds: some three thousand years ahead, and small enough for any arithmetic."""
_SHOWN_KEY = 100


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a file holds; at `saved_at`, Unix time in seconds, it was still what NATS said."""

    app: str
    saved_at: float
    content: Content
    refused: tuple[str, ...] = ()
    """Why values of flags were left out when it was read, a sentence each."""


class SnapshotEncoder:
    """Writes one snapshot after the other, at the cost of what has changed in between.

    It is asked up to once a second, beside a loop that answers requests, and shares the interpreter's lock with it.
    """

    def __init__(self) -> None:
        self._rulesets: _Written[Ruleset] = {}
        self._circuits: _Written[Circuit] = {}
        self._segments: _Written[Segment] = {}

    def encode(self, snapshot: Snapshot) -> bytes:
        """Return the bytes of a snapshot; its content is in the order and form that the checksum is made of."""
        content = snapshot.content
        self._rulesets = _write(content.rulesets, ruleset_json, self._rulesets)
        self._circuits = _write(content.circuits, circuit_json, self._circuits)
        self._segments = _write(content.segments, segment_json, self._segments)
        body = b'{"app":%b,"circuits":%b,"format":%d,"mark":%b,"rulesets":%b,"saved_at":%b,"segments":%b}' % (
            orjson.dumps(snapshot.app),
            _object(self._circuits),
            FORMAT,
            _sorted_json(None if content.mark is None else mark_json(content.mark)),
            _object(self._rulesets),
            orjson.dumps(snapshot.saved_at),
            _object(self._segments),
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
    """Read a snapshot of an app; raise `ContractError` that says what is wrong with it.

    A flag or a segment whose values cannot be understood is left out and told in `refused`, and so is such a mark.
    Where that is so of all rulesets, as in the file of a much newer sidecar, the whole snapshot is refused: it would
    make a sidecar ready that knows no flag.
    """
    fields = read_object(data)
    if fields.integer("format") != FORMAT:
        raise ContractError("format", f"expected {FORMAT}, got {fields.integer('format')}")
    body = orjson.loads(data)
    if body.pop("checksum", None) != _checksum(body):
        raise ContractError("checksum", "expected that of the content, got another; the file is damaged")
    if fields.string("app") != app:
        raise ContractError("app", f"expected {app}, got {shown(fields.string('app'))}")
    saved_at = fields.number("saved_at", low=0, high=_LATEST_S)
    refused: list[str] = []
    rulesets = _read_values("rulesets", body.get("rulesets"), lambda key, value: _ruleset(app, key, value), refused)
    if refused and not rulesets:
        raise ContractError("rulesets", f"expected rulesets, got none that can be understood: {refused[0]}")
    circuits = _read_values("circuits", body.get("circuits"), _circuit, refused)
    # A file from before segments existed has none.
    segments = _read_values("segments", body.get("segments", {}), lambda key, value: _segment(app, key, value), refused)
    mark = _mark(fields, refused)
    return Snapshot(app, saved_at, Content(rulesets, circuits, mark, segments), tuple(refused))


def _mark(fields: Fields, refused: list[str]) -> Mark | None:
    try:
        return fields.object("mark", lambda inner: decode_mark(inner.as_json()))
    except ContractError as error:
        refused.append(str(error))
        return None


def _read_values(
    name: str, values: object, read: Callable[[str, bytes], _Value], refused: list[str]
) -> dict[str, _Value]:
    """Read each value by its flag; why one is refused is added to `refused`."""
    if not isinstance(values, dict):
        raise ContractError(name, f"expected an object with a value for each flag, got {shown(values)}")
    found: dict[str, _Value] = {}
    for key, value in values.items():
        try:
            check_flag_key("key", key)
            found[key] = read(key, orjson.dumps(value))
        except ContractError as error:
            refused.append(f"{name}.{key[:_SHOWN_KEY]}: {error}")
    return found


def _ruleset(app: str, key: str, data: bytes) -> Ruleset:
    ruleset = decode_ruleset(data)
    if ruleset.flag_id != FlagId(app, key):
        raise ContractError("key", f"expected the ruleset of {app}.{key}, got that of {ruleset.flag_id}")
    return ruleset


def _segment(app: str, key: str, data: bytes) -> Segment:
    segment = decode_segment(data)
    if segment.segment_id != SegmentId(app, key):
        raise ContractError("key", f"expected the segment {key} of {app}, got {segment.key} of {segment.app}")
    return segment


def _circuit(_: str, data: bytes) -> Circuit:
    return decode_circuit(data)


def _checksum(body: dict[str, object]) -> str:
    try:
        return hashlib.sha256(_sorted_json(body)).hexdigest()
    except orjson.JSONEncodeError as error:  # it reads deeper nestings than it writes
        raise ContractError("value", f"expected a snapshot, got what no sidecar writes ({error})") from error
