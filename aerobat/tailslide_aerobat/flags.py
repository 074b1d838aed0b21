"""What Aerobat knows of both buckets: the ruleset and the circuit of each flag, the latter with its revision.

A memory of what the watches deliver and of what Aerobat itself has written. Neither NATS nor a decision is in here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import orjson
import structlog

from tailslide_aerobat.metrics import Metrics
from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import SCHEMA, decode_circuit, decode_ruleset
from tailslide_core.errors import ContractError
from tailslide_core.naming import CIRCUITS_BUCKET, RAW_RETENTION_MS, RULESETS_BUCKET, FlagId, app_of_mark
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_runtime.bucket_watch import Entry, Listing

log = structlog.get_logger()

T = TypeVar("T")

NEVER_WRITTEN = 0
"""The revision of what a bucket does not hold."""


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """What is known of one key: the last good value, None if there was none, and the latest revision.

    `deleted`: the latest revision is a deletion. `newer`: it is of a schema that only a newer part understands.
    """

    value: T | None
    revision: int
    deleted: bool = False
    newer: bool = False


class BucketMemory(Generic[T]):
    """The keys of one bucket. A value that cannot be read is counted, logged once, and leaves the last good one."""

    def __init__(
        self, bucket: str, read: Callable[[FlagId, bytes], T], metrics: Metrics, *, keeps_lost: bool = False
    ) -> None:
        """`keeps_lost`: a good value that a listing lacks stays, as one that was never written; see `lost`."""
        self._keeps_lost = keeps_lost
        self.listed = False
        """Whether everything that the bucket holds has been delivered by the present connection."""
        self._bucket = bucket
        self._read = read
        self._refusals = metrics.refused_values.labels(bucket)
        self._held: dict[FlagId, Held[T]] = {}
        self._refused: dict[str, int] = {}

    def take(self, item: Listing | Entry) -> None:
        """Remember what a watch has delivered."""
        if isinstance(item, Entry):
            self._take_entry(item, self._held)
            return
        # A listing is the whole truth, also where its revisions are lower than ours: the bucket was made anew then.
        before, self._held = self._held, {}
        for entry in item.entries.values():
            self._take_entry(entry, before)
        if self._keeps_lost:
            for flag_id, held in before.items():
                if held.value is not None:
                    self._held.setdefault(flag_id, Held(held.value, NEVER_WRITTEN))
        self.listed = True

    def _take_entry(self, entry: Entry, before: dict[FlagId, Held[T]]) -> None:
        # No flag: it tells who keeps rulesets that the bucket has lost when to let go of them. Aerobat keeps none.
        if app_of_mark(entry.key) is not None:
            return
        try:
            flag_id = FlagId.parse(entry.key)
        except ContractError as error:
            self._refuse(entry, error)
            return
        known = self._held.get(flag_id)
        if known is not None and entry.revision <= known.revision:
            return  # the echo of what we wrote ourselves, maybe overtaken by our next write
        if entry.value is None:
            self._held[flag_id] = Held(None, entry.revision, deleted=True)
            return
        try:
            self._held[flag_id] = Held(self._read(flag_id, entry.value), entry.revision)
        except ContractError as error:
            self._refuse(entry, error)
            last_good = before.get(flag_id)
            value = None if last_good is None else last_good.value
            self._held[flag_id] = Held(value, entry.revision, newer=_is_newer(entry.value))

    def _refuse(self, entry: Entry, error: ContractError) -> None:
        if self._refused.get(entry.key) == entry.revision:  # seen before, in an earlier listing
            return
        self._refused[entry.key] = entry.revision
        self._refusals.inc()
        log.warning("value refused", bucket=self._bucket, key=entry.key, revision=entry.revision, error=str(error))

    def get(self, flag_id: FlagId) -> Held[T] | None:
        """Return what is known of a flag; None when the bucket never had it."""
        return self._held.get(flag_id)

    def items(self) -> Iterator[tuple[FlagId, Held[T]]]:
        """Return all keys, those of deleted values included."""
        return iter(self._held.items())

    def lost(self) -> dict[FlagId, T]:
        """Return the values that the bucket has lost, other than by deletion."""
        return {
            flag_id: held.value
            for flag_id, held in self._held.items()
            if held.revision == NEVER_WRITTEN and held.value is not None
        }

    def wrote(self, flag_id: FlagId, value: T | None, revision: int) -> None:
        """Remember our own write (None: deletion), without waiting for the watch to deliver it."""
        known = self._held.get(flag_id)
        if known is None or known.revision < revision:
            self._held[flag_id] = Held(value, revision, deleted=value is None)


@dataclass(frozen=True, slots=True)
class Judged:
    """A flag that has a circuit, as it stands. `revision` is None when the bucket has no circuit for it."""

    flag_id: FlagId
    ruleset: Ruleset
    settings: CircuitSettings
    circuit: Circuit
    revision: int | None


class Flags:
    """All flags, and which of them are to be judged."""

    def __init__(self, metrics: Metrics) -> None:
        self.rulesets = BucketMemory(RULESETS_BUCKET, _read_ruleset, metrics)
        # Aerobat is their only writer, so what it knows is as good as what the bucket held before it was made anew.
        self.circuits = BucketMemory(CIRCUITS_BUCKET, lambda _, data: decode_circuit(data), metrics, keeps_lost=True)
        for state in State:
            metrics.circuits.labels(state).set_function(partial(self._count, state))

    @property
    def listed(self) -> bool:
        """Whether both buckets are known in full; nothing is judged before."""
        return self.rulesets.listed and self.circuits.listed

    def disconnected(self) -> None:
        """Keep everything, but trust it only after the next listings."""
        self.rulesets.listed = self.circuits.listed = False

    def judged(self) -> Iterator[Judged]:
        """Return the flags whose circuit is ours to move.

        A flag whose ruleset is absent without having been deleted is left out as well: the bucket may have been made
        anew, with Tower about to fill it, and there is nothing to judge by until then. A circuit that is absent, and
        was not known before either, starts from the beginning: nobody but Aerobat would fill it again.
        """
        for flag_id, held in self.rulesets.items():
            ruleset = held.value
            if ruleset is None or ruleset.circuit is None:
                continue
            verdict = self.circuits.get(flag_id)
            if verdict is None or verdict.deleted:
                yield Judged(flag_id, ruleset, ruleset.circuit, _initial(ruleset.circuit), None)
            elif not verdict.newer:
                # A value that is broken, not newer, is replaced with the next transition: the bucket is ours to heal.
                circuit = verdict.value or _initial(ruleset.circuit)
                yield Judged(flag_id, ruleset, ruleset.circuit, circuit, verdict.revision or None)

    def orphans(self) -> list[tuple[FlagId, int]]:
        """Return the circuits whose flag was deleted, with their revisions; absence alone does not count as that."""
        found = []
        for flag_id, held in self.rulesets.items():
            verdict = self.circuits.get(flag_id) if held.deleted else None
            if verdict is not None and not verdict.deleted and verdict.revision != NEVER_WRITTEN:
                found.append((flag_id, verdict.revision))
        return found

    def reach_ms(self) -> int:
        """Return how far back counts are needed: the longest window of any flag, at most what Redis keeps raw."""
        longest = max((flag.settings.long_window_ms for flag in self.judged()), default=0)
        return min(longest, RAW_RETENTION_MS)

    def _count(self, state: State) -> int:
        return sum(1 for flag in self.judged() if flag.circuit.state is state)


def _initial(settings: CircuitSettings) -> Circuit:
    return Circuit(reset_generation=settings.reset_generation)


def _read_ruleset(flag_id: FlagId, data: bytes) -> Ruleset:
    ruleset = decode_ruleset(data)
    if ruleset.flag_id != flag_id:
        raise ContractError("key", f"expected the value of {flag_id}, got that of {ruleset.flag_id}")
    return ruleset


def _is_newer(data: bytes) -> bool:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    schema = value.get("schema") if isinstance(value, dict) else None
    return isinstance(schema, int) and schema > SCHEMA
