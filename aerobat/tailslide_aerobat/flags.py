"""What Aerobat knows of both buckets: the ruleset and the circuit of each flag, the latter with its revision.

A memory of what the watches deliver and of what Aerobat itself has written. Neither NATS nor a decision is in here.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import orjson
import structlog

from tailslide_aerobat.metrics import Metrics
from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import CIRCUIT_SCHEMA, decode_circuit
from tailslide_core.errors import ContractError
from tailslide_core.fields import MAX_INTEGER, is_integer
from tailslide_core.flag_contracts import RULESET_SCHEMA, decode_ruleset
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, FlagId, is_reserved
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
    `broken`: it cannot be read, and no newer part could.
    """

    value: T | None
    revision: int
    deleted: bool = False
    newer: bool = False
    broken: bool = False


@dataclass(frozen=True, slots=True)
class _Unsure(Generic[T]):
    """A value that was written to the bucket made then, and that no answer has come to."""

    value: T
    made: datetime | None


class BucketMemory(Generic[T]):
    """The keys of one bucket. A value that cannot be read is counted, logged once, and leaves the last good one."""

    def __init__(
        self,
        bucket: str,
        read: Callable[[FlagId, bytes], T],
        metrics: Metrics,
        changed: Callable[[FlagId], None],
        *,
        keeps_lost: bool = False,
    ) -> None:
        """`changed` is called with each key whose known values have changed.

        `keeps_lost`: a good value that a listing lacks stays, as one that was never written; see `lost`.
        """
        self._keeps_lost = keeps_lost
        self._changed = changed
        self.made: datetime | None = None
        """When the bucket of the present connection was made, which tells it from one of the same name before it."""
        self._unsure: dict[FlagId, _Unsure[T]] = {}
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
            flag_id = self._take_entry(item, self._held)
            if flag_id is not None:
                self._changed(flag_id)
            return
        # A listing is the whole truth, even if its revisions are lower than ours: the bucket is a new one then.
        before, self._held = self._held, {}
        for entry in item.entries.values():
            self._take_entry(entry, before)
        if self._keeps_lost:
            lost = {flag_id: held.value for flag_id, held in before.items() if held.value is not None}
            for flag_id, value in (lost | self._lost_unsure()).items():
                self._held.setdefault(flag_id, Held(value, NEVER_WRITTEN))
        self.listed = True
        for flag_id in before.keys() | self._held.keys():
            self._changed(flag_id)

    def _take_entry(self, entry: Entry, before: dict[FlagId, Held[T]]) -> FlagId | None:
        """Remember an entry, and return the flag of which something else is known now."""
        # Not a flag: a mark, after which sidecars drop rulesets that the bucket has lost (Aerobat keeps none), Tower's
        # claim, or what only another version of Tailslide knows.
        if is_reserved(entry.key):
            return None
        try:
            flag_id = FlagId.parse(entry.key)
        except ContractError as error:
            self._refuse(entry, error)
            return None
        known = self._held.get(flag_id)
        if known is not None and entry.revision <= known.revision:
            return None  # the echo of what we wrote ourselves, maybe overtaken by our next write
        if entry.value is None:
            self._held[flag_id] = Held(None, entry.revision, deleted=True)
            return flag_id
        try:
            self._held[flag_id] = Held(self._read(flag_id, entry.value), entry.revision)
        except Exception as error:  # noqa: BLE001 # what no reader foresaw in a value must not end the work for others
            self._refuse(entry, error)
            last_good = before.get(flag_id)
            value = None if last_good is None else last_good.value
            newer = _is_newer(entry.value, _SCHEMAS[self._bucket])
            self._held[flag_id] = Held(value, entry.revision, newer=newer, broken=not newer)
        return flag_id

    def _refuse(self, entry: Entry, error: Exception) -> None:
        if self._refused.get(entry.key) == entry.revision:  # seen before, in an earlier listing
            return
        self._refused[entry.key] = entry.revision
        self._refusals.inc()
        unforeseen = None if isinstance(error, ContractError) else error
        log.warning(
            "value_refused",
            bucket=self._bucket,
            key=entry.key,
            revision=entry.revision,
            error=str(error) or type(error).__name__,
            exc_info=unforeseen,
        )

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

    def _lost_unsure(self) -> dict[FlagId, T]:
        """Return the values that were written to a bucket that is no more, by a connection that ended before an answer.

        Where it is still the same one, a listing without them says that they never arrived.
        """
        if self.listed:  # the answers of the present connection are yet to come
            return {}
        unsure, self._unsure = self._unsure, {}
        return {flag_id: written.value for flag_id, written in unsure.items() if written.made != self.made}

    def writes(self, flag_id: FlagId, value: T) -> None:
        """Remember what is about to be written: it may be in the bucket, and be acted on, though no answer comes."""
        self._unsure[flag_id] = _Unsure(value, self.made)

    def refused(self, flag_id: FlagId) -> None:
        """Forget a write that the bucket has not taken."""
        self._unsure.pop(flag_id, None)

    def wrote(self, flag_id: FlagId, value: T | None, revision: int) -> None:
        """Remember our own write (None: deletion), without waiting for the watch to deliver it."""
        self._unsure.pop(flag_id, None)
        known = self._held.get(flag_id)
        if known is None or known.revision < revision:
            self._held[flag_id] = Held(value, revision, deleted=value is None)
            self._changed(flag_id)


@dataclass(frozen=True, slots=True)
class Broken:
    """A flag whose stored circuit, of `revision`, cannot be read; `last_good` is what was known before it, if anything.

    `reset_generation` is the ruleset's.
    """

    flag_id: FlagId
    revision: int
    last_good: Circuit | None
    reset_generation: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A flag that has a circuit, as it stands. `revision` is None when the bucket has no circuit for it."""

    flag_id: FlagId
    ruleset: Ruleset
    settings: CircuitSettings
    circuit: Circuit
    revision: int | None

    @property
    def is_restless(self) -> bool:
        """Whether something may move it without any calls: that it is not at rest, or that a person has reset it."""
        circuit = self.circuit
        return (
            circuit.state is not State.CLOSED
            or circuit.trips > 0
            or circuit.reset_generation < self.settings.reset_generation
        )


class Flags:
    """All flags, and which of them are to be judged; kept ready, since a tick looks at few of thousands."""

    def __init__(self, metrics: Metrics) -> None:
        self._judged: dict[FlagId, Judged] = {}
        self._restless: set[FlagId] = set()
        self._orphans: set[FlagId] = set()
        self._broken: dict[FlagId, Broken] = {}
        self._apps: Counter[str] = Counter()
        self.all_apps: set[str] = set()
        """The apps that have had a ruleset since the start, whether anything of theirs is judged or not."""
        self.rulesets = BucketMemory(RULESETS_BUCKET, _read_ruleset, metrics, self._look_at)
        # Aerobat is their only writer, so what it knows is as good as what the bucket held before it was created again.
        self.circuits = BucketMemory(
            CIRCUITS_BUCKET, lambda _, data: decode_circuit(data), metrics, self._look_at, keeps_lost=True
        )

    @property
    def listed(self) -> bool:
        """Whether both buckets are known in full; nothing is judged before."""
        return self.rulesets.listed and self.circuits.listed

    def disconnected(self) -> None:
        """Keep everything, but trust it only after the next listings."""
        self.rulesets.listed = self.circuits.listed = False

    def _look_at(self, flag_id: FlagId) -> None:
        """Work out again what there is to do for a flag."""
        ruleset, verdict = self.rulesets.get(flag_id), self.circuits.get(flag_id)
        if ruleset is not None:
            self.all_apps.add(flag_id.app)
        before = self._judged.pop(flag_id, None)
        flag = _judged(flag_id, None if ruleset is None else ruleset.value, verdict, before)
        if before is not None:
            self._apps[flag_id.app] -= 1
        if flag is not None:
            self._judged[flag_id] = flag
            self._apps[flag_id.app] += 1
        if not self._apps[flag_id.app]:
            del self._apps[flag_id.app]
        orphaned = (
            ruleset is not None
            and ruleset.deleted
            and verdict is not None
            and not verdict.deleted
            and verdict.revision != NEVER_WRITTEN
        )
        self._broken.pop(flag_id, None)
        settings = None if ruleset is None or ruleset.value is None else ruleset.value.circuit
        if settings is not None and verdict is not None and verdict.broken:
            self._broken[flag_id] = Broken(flag_id, verdict.revision, verdict.value, settings.reset_generation)
        for held, members in ((orphaned, self._orphans), (flag is not None and flag.is_restless, self._restless)):
            (members.add if held else members.discard)(flag_id)

    def get(self, flag_id: FlagId) -> Judged | None:
        """Return a flag whose circuit is ours to move; None for any other.

        A flag whose ruleset is absent without having been deleted is left out as well: the bucket may have been made
        again, with Tower about to fill it, and there is nothing to judge by until then. A circuit that is absent, and
        was not known before either, starts from the beginning: nobody but Aerobat would fill it again.
        """
        return self._judged.get(flag_id)

    def judged(self) -> Iterator[Judged]:
        """Return all flags whose circuit is ours to move."""
        return iter(self._judged.values())

    def restless(self) -> list[Judged]:
        """Return those of them that time, or a person, may move without any calls."""
        return [self._judged[flag_id] for flag_id in self._restless]

    def apps(self) -> Collection[str]:
        """Return the apps that have such flags."""
        return self._apps.keys()

    def broken(self) -> list[Broken]:
        """Return the flags that are not to be judged until a circuit was written that can be read."""
        return list(self._broken.values())

    def orphans(self) -> list[tuple[FlagId, int]]:
        """Return the circuits whose flag was deleted, with their revisions; absence alone does not count as that."""
        held = [(flag_id, self.circuits.get(flag_id)) for flag_id in self._orphans]
        return [(flag_id, verdict.revision) for flag_id, verdict in held if verdict is not None]


def _judged(
    flag_id: FlagId, ruleset: Ruleset | None, verdict: Held[Circuit] | None, known: Judged | None
) -> Judged | None:
    if ruleset is None or ruleset.circuit is None:
        return None
    settings = ruleset.circuit
    if verdict is not None and verdict.deleted:
        # Made again, for which Tower raises the number: as after a reset, nothing counts of what was before.
        before = Circuit(reset_generation=max(0, settings.reset_generation - 1))
        return Judged(flag_id, ruleset, settings, before, None)
    if verdict is None:
        # As it began when it became known: a person's reset since then is to be carried out, though it never tripped.
        circuit = known.circuit if known is not None and known.revision is None else _initial(settings)
        return Judged(flag_id, ruleset, settings, circuit, None)
    if verdict.newer or verdict.broken:
        return None
    return Judged(flag_id, ruleset, settings, verdict.value or _initial(settings), verdict.revision or None)


def _initial(settings: CircuitSettings) -> Circuit:
    return Circuit(reset_generation=settings.reset_generation)


def _read_ruleset(flag_id: FlagId, data: bytes) -> Ruleset:
    ruleset = decode_ruleset(data)
    if ruleset.flag_id != flag_id:
        raise ContractError("key", f"expected the value of {flag_id}, got that of {ruleset.flag_id}")
    return ruleset


_SCHEMAS = {RULESETS_BUCKET: RULESET_SCHEMA, CIRCUITS_BUCKET: CIRCUIT_SCHEMA}
"""The newest schema that is understood, by bucket."""


def _is_newer(data: bytes, known: int) -> bool:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and is_integer(value.get("schema"), known + 1, MAX_INTEGER)
