"""The rulesets and circuits of one app, as last read. Pure memory, no I/O: the watcher feeds it, requests ask it.

A value that cannot be understood never replaces a good one. A deletion does. A ruleset that is merely missing from a
listing, as after a wiped bucket, stays until Tower has published again; a circuit that is missing is closed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from tailslide_core.circuit import Circuit
from tailslide_core.contracts import decode_circuit, decode_ruleset
from tailslide_core.errors import ContractError
from tailslide_core.evaluation import Context, EffectiveCircuit, Evaluation, effective_circuit, evaluate
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_runtime.bucket_watch import Entry, Listing

Value = TypeVar("Value", Ruleset, Circuit)


class Origin(StrEnum):
    """Where the rulesets in memory came from."""

    JETSTREAM = "jetstream"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value of a bucket that was not taken, and why."""

    bucket: str
    key: str
    revision: int
    problem: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a listing or an entry.

    `refused` holds each bad revision once, however often it is read. `kept` are the flags that were missing from a
    listing without having been deleted, and keep their last good value.
    """

    refused: tuple[Refusal, ...] = ()
    kept: tuple[str, ...] = ()
    changed: bool = False


@dataclass(slots=True)
class HeldFlag:
    """A known flag, ready to be asked often. Made anew with each change of its ruleset or circuit."""

    ruleset: Ruleset
    effective: EffectiveCircuit | None
    answers: dict[object, Any] = field(default_factory=dict)
    """Whatever an asker has worked out for this state of the flag, under a key of its own; gone with the next state."""


@dataclass(frozen=True, slots=True)
class Content:
    """All values at one moment, by flag key."""

    rulesets: Mapping[str, Ruleset]
    circuits: Mapping[str, Circuit]


class FlagStore:
    """What is known of the flags of `app`."""

    def __init__(self, app: str) -> None:
        self.app = app
        self.origin: Origin | None = None
        """None until rulesets have been read, be it that there are none."""
        self.revision = 0
        """Raised with each change of any value."""
        self._rulesets: dict[str, Ruleset] = {}
        self._circuits: dict[str, Circuit] = {}
        self._held: dict[str, HeldFlag] = {}
        self._refused: dict[tuple[str, str], int] = {}
        self._kept: set[str] = set()

    def evaluate(self, flag: str, context: Context) -> Evaluation:
        """Answer whether a flag is on for a user."""
        return evaluate(flag, self._rulesets.get(flag), self._circuits.get(flag), context)

    def held(self, flag: str) -> HeldFlag | None:
        """Return a flag as it is held; None for an unknown one."""
        return self._held.get(flag)

    def all_held(self) -> Mapping[str, HeldFlag]:
        """Return all flags as they are held, by key, in the order of their keys."""
        return self._held

    def forget_answers(self) -> None:
        """Let askers work out their answers anew: something that they all depend on has changed."""
        for held in self._held.values():
            held.answers.clear()

    def ruleset(self, flag: str) -> Ruleset | None:
        """Return a flag's ruleset; None for an unknown flag."""
        return self._rulesets.get(flag)

    def effective(self, flag: str) -> EffectiveCircuit | None:
        """Return what the circuit of a flag counts as now; None for an unknown flag and one without a circuit."""
        held = self._held.get(flag)
        return None if held is None else held.effective

    def trips(self, flag: str) -> int:
        """Return how often in a row the circuit of a flag has tripped."""
        circuit = self._circuits.get(flag)
        return 0 if circuit is None else circuit.trips

    def flags(self) -> list[str]:
        """Return the keys of all known flags, sorted."""
        return sorted(self._rulesets)

    def kept(self) -> list[str]:
        """Return the flags whose ruleset was missing from the last listing and is kept nevertheless."""
        return sorted(self._kept)

    def content(self) -> Content:
        """Return a copy of all values."""
        return Content(dict(self._rulesets), dict(self._circuits))

    def restore(self, content: Content) -> None:
        """Begin with the values of a snapshot."""
        self._rulesets = dict(content.rulesets)
        self._circuits = dict(content.circuits)
        self._hold(self._rulesets)
        self.origin = Origin.SNAPSHOT

    def apply(self, bucket: str, item: Listing | Entry) -> Applied:
        """Take in what the watch of a bucket has seen."""
        if isinstance(item, Entry):
            return self._apply_entries(bucket, [item])
        applied = self._apply_entries(bucket, list(item.entries.values()))
        listed = {key.partition(".")[2] for key in item.entries}
        if bucket == CIRCUITS_BUCKET:
            # Nobody keeps a verdict but Aerobat, which writes lost ones again. What is not there is closed.
            gone = self._circuits.keys() - listed
            for flag in gone:
                del self._circuits[flag]
            self._hold(gone)
            return Applied(applied.refused, changed=applied.changed or bool(gone))
        kept = tuple(sorted(self._rulesets.keys() - listed))
        self._kept = set(kept)
        self.origin = Origin.JETSTREAM
        return Applied(applied.refused, kept, applied.changed)

    def _apply_entries(self, bucket: str, entries: list[Entry]) -> Applied:
        refused: list[Refusal] = []
        changed: set[str] = set()
        for entry in entries:
            if bucket == RULESETS_BUCKET:
                self._kept.discard(entry.key.partition(".")[2])
            try:
                if self._apply_entry(bucket, entry):
                    changed.add(entry.key.partition(".")[2])
                self._refused.pop((bucket, entry.key), None)
            except ContractError as error:
                if self._refused.get((bucket, entry.key)) != entry.revision:
                    self._refused[(bucket, entry.key)] = entry.revision
                    refused.append(Refusal(bucket, entry.key, entry.revision, str(error)))
        self._hold(changed)
        return Applied(tuple(refused), (), bool(changed))

    def _hold(self, changed: Iterable[str]) -> None:
        """Make the held flags equal to the values, for those that have changed."""
        known = len(self._held)
        for flag in changed:
            self.revision += 1
            ruleset = self._rulesets.get(flag)
            if ruleset is None:
                self._held.pop(flag, None)
            else:
                self._held[flag] = HeldFlag(ruleset, effective_circuit(ruleset, self._circuits.get(flag)))
        if len(self._held) > known:
            self._held = dict(sorted(self._held.items()))

    def _apply_entry(self, bucket: str, entry: Entry) -> bool:
        flag_id = FlagId.parse(entry.key)
        if flag_id.app != self.app:
            raise ContractError("app", f"expected {self.app}, got {flag_id.app}")
        if bucket == RULESETS_BUCKET:
            return _put(self._rulesets, flag_id.flag, _ruleset(flag_id, entry.value))
        return _put(self._circuits, flag_id.flag, None if entry.value is None else decode_circuit(entry.value))


def _ruleset(flag_id: FlagId, value: bytes | None) -> Ruleset | None:
    if value is None:
        return None
    ruleset = decode_ruleset(value)
    if ruleset.flag_id != flag_id:
        raise ContractError("key", f"expected the value of {flag_id}, got that of {ruleset.flag_id}")
    return ruleset


def _put(values: dict[str, Value], flag: str, value: Value | None) -> bool:
    """Set or, for None, remove a value; say whether that changed anything."""
    before = values.get(flag)
    if value is None:
        values.pop(flag, None)
    else:
        values[flag] = value
    return before != value
