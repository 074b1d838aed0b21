"""What Aerobat has said of each flag's circuit, as this Tower has last heard.

Fails open: while NATS is away it says what was so when it was last heard from. A circuit that cannot be read counts as
none; Aerobat, whose business that is, says so in its log.
"""

from collections.abc import Callable

import structlog

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import decode_circuit
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId
from tailslide_core.sentences.facts import Opening
from tailslide_runtime.bucket_watch import Entry, Listing

log = structlog.get_logger()


class KnownCircuits:
    """The bucket of circuits, and the openings that were seen while Tower was watching."""

    def __init__(self, changed: Callable[[FlagId], None]) -> None:
        """`changed` is called with each flag whose circuit is another one."""
        self._changed = changed
        self._circuits: dict[FlagId, Circuit] = {}
        self._openings: dict[FlagId, Opening] = {}

    def take(self, item: Listing | Entry) -> None:
        """Take in what the watch of the bucket has seen."""
        if isinstance(item, Entry):
            self._take(item)
            return
        held = {entry.key for entry in item.entries.values()}
        for flag_id in [flag_id for flag_id in self._circuits if str(flag_id) not in held]:
            self._put(flag_id, None)
        for entry in item.entries.values():
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        try:
            flag_id = FlagId.parse(entry.key)
            circuit = None if entry.value is None else decode_circuit(entry.value)
        except ContractError as error:
            log.debug("circuit_unreadable", key=entry.key[:200], error=str(error))
            return
        self._put(flag_id, circuit)

    def _put(self, flag_id: FlagId, circuit: Circuit | None) -> None:
        before = self._circuits.get(flag_id)
        if circuit is None:
            self._circuits.pop(flag_id, None)
            self._openings.pop(flag_id, None)
        else:
            self._circuits[flag_id] = circuit
            self._note_opening(flag_id, before, circuit)
        if before != circuit:
            self._changed(flag_id)

    def _note_opening(self, flag_id: FlagId, before: Circuit | None, circuit: Circuit) -> None:
        if circuit.state is State.OPEN:
            self._openings[flag_id] = Opening(circuit.since_ms, circuit.reason)
            return
        opening = self._openings.get(flag_id)
        was_closed = before is None or before.state is State.CLOSED
        if opening is not None and circuit.state is State.CLOSED and not was_closed:
            self._openings[flag_id] = Opening(opening.at_ms, opening.reason, circuit.since_ms)

    def get(self, flag_id: FlagId) -> Circuit | None:
        """Return the circuit of a flag; None where Aerobat has said nothing of it."""
        return self._circuits.get(flag_id)

    def last_opening(self, flag_id: FlagId) -> Opening | None:
        """Return the last opening that was seen since this Tower has started."""
        return self._openings.get(flag_id)

    def not_closed(self) -> list[FlagId]:
        """Return the flags whose circuits are open or recovering, whether or not a person has reset them since."""
        return [flag_id for flag_id, circuit in self._circuits.items() if circuit.state is not State.CLOSED]
