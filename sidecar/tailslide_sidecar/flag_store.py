"""The rulesets, segments and circuits of one app, as last read. No I/O: the watcher feeds it, requests ask it.

A value that cannot be understood never replaces a good one, but for a ruleset of which at least that can be understood
that it turns its flag off. A deletion does. A ruleset or a segment that is merely missing from a listing, as after a
wiped bucket, stays until Tower has marked the app as published again; a circuit that is missing is closed. Why so:
`docs/decisions/0005-what-a-lost-bucket-means.md`.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import Mark, decode_circuit, decode_mark
from tailslide_core.decisions import Decision
from tailslide_core.effective_circuit import EffectiveCircuit
from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import decode_ruleset, decode_segment, turned_off
from tailslide_core.flag_set import FlagSet
from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    RULESETS_BUCKET,
    FlagId,
    SegmentId,
    app_of_mark,
    is_flag_key,
    is_reserved,
    segment_of,
)
from tailslide_core.preparation import PreparedFlag, required_by
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment
from tailslide_core.work import NO_DEMANDS, Demands, Total, demands_of, together
from tailslide_runtime.bucket_watch import Entry, Listing

Value = TypeVar("Value", Ruleset, Segment, Circuit)


class Origin(StrEnum):
    """Where the rulesets in memory came from."""

    JETSTREAM = "jetstream"
    SNAPSHOT = "snapshot"
    FILE = "file"
    """A flags file, which stands in for NATS."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value of a bucket that was not taken, and why."""

    bucket: str
    key: str
    revision: int
    problem: str
    unforeseen: Exception | None = None
    """The error, where it is one that no reader of values should raise: a defect, to be told with its traceback."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a listing or an entry.

    `refused` holds each bad revision once, however often it is read. `kept` are the keys, without the app, of flags and
    segments that are missing from a listing without having been deleted, and keep their last good value. `dropped` are
    those that were kept, or would have been, had Tower not said since that the bucket is whole without them.
    """

    refused: tuple[Refusal, ...] = ()
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    changed: bool = False


@dataclass(slots=True)
class _Changed:
    """The flags and the segments of which another value was taken in."""

    flags: set[str] = field(default_factory=set)
    segments: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.flags or self.segments)


@dataclass(slots=True)
class HeldFlag:
    """A known flag, ready to be asked often. A new one takes its place when it, or what it depends on, changes."""

    prepared: PreparedFlag
    ruleset: Ruleset
    effective: EffectiveCircuit | None
    circuit: Circuit | None = None
    """What Aerobat has said last."""
    trips: int = 0
    """How often in a row its circuit has tripped."""
    openings: int = 0
    """How often its circuit has been seen to open, or must have in between, for Aerobat's or for a person's reasons.

    Unlike `trips` it never goes back: what began at a lower number says nothing of the feature as it is now.
    """
    opened_ms: int | None = None
    """When its circuit was last seen to open, in Unix time by this machine's clock, as callers on it have it too.

    Of a circuit that was not closed when it was first seen: since when it is as it is. None if it never was.
    """
    own_demands: Demands = field(default_factory=lambda: NO_DEMANDS)
    """What it asks of each attribute by itself."""
    demands: Demands | None = None
    """What a question about it asks, its prerequisites included, once somebody has asked `demands_of_question`."""
    answers: dict[tuple[object, Decision], Any] = field(default_factory=dict)
    """What an asker has computed for a decision, under the asker's own key; dropped with the next state of the flag."""

    def is_as(self, other: "HeldFlag") -> bool:
        """Whether nothing has come of the flag itself between the two, only of segments or flags that it asks for."""
        return self is other or (self.ruleset is other.ruleset and self.circuit is other.circuit)


@dataclass(frozen=True, slots=True)
class Content:
    """All values at one moment, by key, and the latest mark of Tower that was seen."""

    rulesets: Mapping[str, Ruleset]
    circuits: Mapping[str, Circuit]
    mark: Mark | None = None
    segments: Mapping[str, Segment] = field(default_factory=dict)


class FlagStore:
    """What is known of the flags of `app`."""

    def __init__(self, app: str, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix time in seconds."""
        self.app = app
        self._clock = clock
        self.origin: Origin | None = None
        """None until rulesets have been read, even if there are none."""
        self.revision = 0
        """Raised with each change of any value."""
        self._flags = FlagSet()
        self._held: dict[str, HeldFlag] = {}
        self._total = Total()
        self._refused: dict[tuple[str, str], int] = {}
        self._kept: set[str] = set()
        self._kept_segments: set[str] = set()
        self._in_bucket: set[str] = set()
        """Flags of which the bucket of rulesets has said anything since it was last listed, deletions included."""
        self._segments_in_bucket: set[str] = set()
        self._mark: Mark | None = None
        self._lost_after_ms = _NEVER
        """The time of the latest mark that was known before the last listing: what that lacks, was lost after it."""

    def held(self, flag: str) -> HeldFlag | None:
        """Return a flag as it is held; None for an unknown one."""
        return self._held.get(flag)

    def all_held(self) -> Mapping[str, HeldFlag]:
        """Return all flags as they are held, by key, in the order of their keys."""
        return self._held

    @property
    def demands(self) -> Demands:
        """What the conditions of all flags ask of each attribute."""
        return self._total.demands

    def demands_of_question(self, held: HeldFlag) -> Demands:
        """Return what a question about a flag asks: of the flag, and of all that it requires, each once.

        Worked out only when a question is large enough to be measured: for all flags of an app of which each requires
        hundreds, directly and through others, it would take seconds, with each change of one of these.
        """
        if held.demands is None:
            required = (self._held[flag.ruleset.key].own_demands for flag in required_by(held.prepared))
            held.demands = together([held.own_demands, *required]) if held.prepared.requires else held.own_demands
        return held.demands

    def forget_answers(self) -> None:
        """Make askers compute their answers again: something that they all depend on has changed."""
        for held in self._held.values():
            held.answers.clear()

    def ruleset(self, flag: str) -> Ruleset | None:
        """Return a flag's ruleset; None for an unknown flag."""
        return self._flags.rulesets.get(flag)

    def effective(self, flag: str) -> EffectiveCircuit | None:
        """Return what the circuit of a flag counts as now; None for an unknown flag and one without a circuit."""
        held = self._held.get(flag)
        return None if held is None else held.effective

    def flags(self) -> list[str]:
        """Return the keys of all known flags, sorted."""
        return sorted(self._flags.rulesets)

    def segments(self) -> Mapping[str, Segment]:
        """Return all segments, by key."""
        return self._flags.segments

    def unknown_segments(self) -> Mapping[str, Sequence[str]]:
        """Return the segments that flags ask for and the app does not have, each with these flags."""
        return self._flags.unknown_segments()

    def unknown_prerequisites(self) -> Mapping[str, Sequence[str]]:
        """Return the flags that others require and the app does not have, each with these others."""
        return self._flags.unknown_prerequisites()

    def kept(self) -> list[str]:
        """Return the flags whose ruleset was missing from the last listing and is kept nevertheless."""
        return sorted(self._kept)

    def kept_segments(self) -> list[str]:
        """Return the segments of which the same is so."""
        return sorted(self._kept_segments)

    def refused(self) -> list[str]:
        """Return the flags whose last ruleset could not be read, so that they answer from the one before it."""
        flags = (_flag(key) for bucket, key in self._refused if bucket == RULESETS_BUCKET)
        return sorted(flag for flag in flags if is_flag_key(flag))

    @property
    def is_published(self) -> bool | None:
        """Whether Tower has ever published this app; None while NATS has not told what the bucket holds."""
        if self.origin is not Origin.JETSTREAM:
            return None
        return self._mark is not None or bool(self._flags.rulesets)

    def content(self) -> Content:
        """Return a copy of all values."""
        flags = self._flags
        return Content(dict(flags.rulesets), dict(flags.circuits), self._mark, dict(flags.segments))

    def restore(self, content: Content) -> None:
        """Begin with the values of a snapshot."""
        self._flags.rulesets.update(content.rulesets)
        self._flags.circuits.update(content.circuits)
        self._flags.segments.update(content.segments)
        self._mark = content.mark
        self._hold(content.rulesets)
        self.origin = Origin.SNAPSHOT

    def replace(self, content: Content) -> bool:
        """Make all values those of a flags file; say whether that changed anything."""
        changed, flags = _Changed(), self._flags
        for flag in flags.rulesets.keys() | content.rulesets.keys():
            if _put(flags.rulesets, flag, content.rulesets.get(flag)):
                changed.flags.add(flag)
        for segment in flags.segments.keys() | content.segments.keys():
            if _put(flags.segments, segment, content.segments.get(segment)):
                changed.segments.add(segment)
        self.origin = Origin.FILE
        self._change(changed)
        return bool(changed)

    def apply(self, bucket: str, item: Listing | Entry) -> Applied:
        """Take in what the watch of a bucket has seen."""
        return self._apply_circuits(item) if bucket == CIRCUITS_BUCKET else self._apply_rulesets(item)

    def _apply_circuits(self, item: Listing | Entry) -> Applied:
        refused, changed = self._take(CIRCUITS_BUCKET, _entries(item))
        if isinstance(item, Listing):
            # Nobody keeps a verdict but Aerobat, which writes lost ones again. What is not there is closed.
            circuits = self._flags.circuits
            gone = circuits.keys() - {_flag(key) for key in item.entries}
            for flag in gone:
                del circuits[flag]
            changed.flags |= gone
        self._change(changed)
        return Applied(refused, changed=bool(changed))

    def _apply_rulesets(self, item: Listing | Entry) -> Applied:
        if isinstance(item, Listing):
            self._in_bucket, self._segments_in_bucket = set(), set()
            self._lost_after_ms = _NEVER if self._mark is None else self._mark.at_ms
        refused, changed = self._take(RULESETS_BUCKET, _entries(item))
        if isinstance(item, Listing):
            self._kept = self._flags.rulesets.keys() - self._in_bucket
            self._kept_segments = self._flags.segments.keys() - self._segments_in_bucket
            self.origin = Origin.JETSTREAM
        dropped = self._drop_unpublished(changed) if self._kept or self._kept_segments else ()
        self._change(changed)
        kept = self._kept_keys() if isinstance(item, Listing) else ()
        return Applied(refused, kept, dropped, bool(changed))

    def _kept_keys(self) -> tuple[str, ...]:
        segments = (_flag(str(SegmentId(self.app, segment))) for segment in self._kept_segments)
        return tuple(sorted([*self._kept, *segments]))

    def _drop_unpublished(self, changed: _Changed) -> tuple[str, ...]:
        """Drop what is kept, if Tower has published all of the app since it was lost, and none of that was lost."""
        mark = self._mark
        if mark is None or mark.at_ms <= self._lost_after_ms or len(self._in_bucket) < mark.keys:
            return ()
        dropped = self._kept_keys()
        for flag in self._kept:
            del self._flags.rulesets[flag]
        for segment in self._kept_segments:
            del self._flags.segments[segment]
        changed.flags |= self._kept
        changed.segments |= self._kept_segments
        self._kept, self._kept_segments = set(), set()
        return dropped

    def _take(self, bucket: str, entries: Iterable[Entry]) -> tuple[tuple[Refusal, ...], _Changed]:
        """Take in values; return the refused ones and what has changed."""
        refused: list[Refusal] = []
        changed = _Changed()
        for entry in entries:
            try:
                self._take_entry(bucket, entry, changed)
                self._refused.pop((bucket, entry.key), None)
            except Exception as error:  # noqa: BLE001 # what no reader foresaw in a value costs that value only
                self._turn_off(bucket, entry, changed)
                if self._refused.get((bucket, entry.key)) != entry.revision:
                    self._refused[(bucket, entry.key)] = entry.revision
                    unforeseen = None if isinstance(error, ContractError) else error
                    problem = str(error) or type(error).__name__
                    refused.append(Refusal(bucket, entry.key, entry.revision, problem, unforeseen))
        return tuple(refused), changed

    def _change(self, changed: _Changed) -> None:
        if changed.segments:
            self.revision += 1
        if changed:
            self._hold(changed.flags, changed.segments)

    def _hold(self, flags: Iterable[str], segments: Iterable[str] = ()) -> None:
        """Make the held flags equal to the values, for those that have changed and those that depend on them."""
        is_sorted = True
        for flag in self._flags.refresh(flags, segments):
            self.revision += 1
            prepared, before = self._flags.prepared(flag), self._held.get(flag)
            held = None
            if prepared is None:
                self._held.pop(flag, None)
            else:
                circuit = self._flags.circuits.get(flag)
                held = self._held[flag] = HeldFlag(
                    prepared,
                    prepared.ruleset,
                    prepared.effective,
                    circuit,
                    0 if circuit is None else circuit.trips,
                    *_openings(before, prepared.effective, circuit, round(self._clock() * 1000)),
                    own_demands=demands_of(prepared.ruleset, self._flags.segments),
                )
                is_sorted = is_sorted and before is not None
            self._total.replace(_demands(before), _demands(held))
        if not is_sorted:
            self._held = dict(sorted(self._held.items()))

    def _take_entry(self, bucket: str, entry: Entry, changed: _Changed) -> None:
        """Take in one value."""
        if bucket == RULESETS_BUCKET and entry.key.startswith(f"{self.app}."):
            segment_id = segment_of(entry.key)
            if segment_id is not None:
                self._take_segment(segment_id, entry.value, changed)
                return
            if app_of_mark(entry.key) is not None:
                self._take_mark(entry.value)
                return
        if is_reserved(entry.key) and entry.key.startswith(f"{self.app}."):
            return  # what only another version of Tailslide knows
        flag_id = FlagId.parse(entry.key)
        if flag_id.app != self.app:
            raise ContractError("app", f"expected {self.app}, got {flag_id.app}")
        flag, flags = flag_id.flag, self._flags
        if bucket == RULESETS_BUCKET:
            self._in_bucket.add(flag)
            self._kept.discard(flag)
            has_changed = _put(flags.rulesets, flag, _ruleset(flag_id, entry.value))
        else:
            has_changed = _put(flags.circuits, flag, None if entry.value is None else decode_circuit(entry.value))
        if has_changed:
            changed.flags.add(flag)

    def _take_segment(self, segment_id: SegmentId, value: bytes | None, changed: _Changed) -> None:
        key = segment_id.segment
        self._segments_in_bucket.add(key)
        self._kept_segments.discard(key)
        if _put(self._flags.segments, key, _segment(segment_id, value)):
            changed.segments.add(key)

    def _turn_off(self, bucket: str, entry: Entry, changed: _Changed) -> None:
        """Turn a flag off if no more of its new ruleset can be read; the rest of the last good one stays."""
        if bucket != RULESETS_BUCKET or entry.value is None:
            return
        off = turned_off(entry.value)
        if off is None or str(off.flag_id) != entry.key or off.flag_id.app != self.app:
            return
        flag = off.flag_id.flag
        before = self._flags.rulesets.get(flag)
        if before is not None and _put(self._flags.rulesets, flag, replace(before, active=False, version=off.version)):
            changed.flags.add(flag)

    def _take_mark(self, value: bytes | None) -> None:
        mark = None if value is None else decode_mark(value)
        # An earlier one comes out of a backup, and speaks of what was in there.
        if mark is not None and (self._mark is None or mark.at_ms > self._mark.at_ms):
            self._mark = mark


class _Openings(NamedTuple):
    """How often a circuit has been seen to open, and when it was last; the fields are those of `HeldFlag`."""

    openings: int
    opened_ms: int | None


def _openings(
    before: HeldFlag | None, effective: EffectiveCircuit | None, circuit: Circuit | None, now_ms: int
) -> _Openings:
    now = _state(effective)
    if before is None:
        if now is State.CLOSED:
            return _Openings(0, None)
        # A circuit that its ruleset keeps open has no opening time in the circuit value.
        return _Openings(0, now_ms if circuit is None or circuit.state is not now else circuit.since_ms)
    was = _state(before.effective)
    opened = (
        (now is State.OPEN and was is not State.OPEN)
        or (now is State.RECOVERING and was is State.CLOSED)
        or (0 if circuit is None else circuit.trips) > before.trips
    )
    return _Openings(before.openings + 1, now_ms) if opened else _Openings(before.openings, before.opened_ms)


def _demands(held: HeldFlag | None) -> Demands:
    return NO_DEMANDS if held is None else held.own_demands


def _state(effective: EffectiveCircuit | None) -> State:
    return State.CLOSED if effective is None else effective.state


_NEVER = -1
"""Before any mark, in the time of marks."""


def _entries(item: Listing | Entry) -> Iterable[Entry]:
    return item.entries.values() if isinstance(item, Listing) else (item,)


def _flag(key: str) -> str:
    return key.partition(".")[2]


def _ruleset(flag_id: FlagId, value: bytes | None) -> Ruleset | None:
    if value is None:
        return None
    ruleset = decode_ruleset(value)
    if ruleset.flag_id != flag_id:
        raise ContractError("key", f"expected the value of {flag_id}, got that of {ruleset.flag_id}")
    return ruleset


def _segment(segment_id: SegmentId, value: bytes | None) -> Segment | None:
    if value is None:
        return None
    segment = decode_segment(value)
    if segment.segment_id != segment_id:
        raise ContractError("key", f"expected the value of {segment_id}, got that of {segment.segment_id}")
    return segment


def _put(values: dict[str, Value], flag: str, value: Value | None) -> bool:
    """Set or, for None, remove a value; say whether that changed anything."""
    before = values.get(flag)
    if value is None:
        values.pop(flag, None)
    else:
        values[flag] = value
    return before != value
