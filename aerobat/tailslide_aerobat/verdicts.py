"""How a verdict is written: the circuit first, by compare-and-set, then its event, and no event is ever missing.

A writer that dies between the two leaves a circuit without its event. Whoever comes next publishes it from what is
known: when an app becomes its own, and before it moves a circuit that somebody else has written, so that events stay
in order. A writer that was held up, for however long, publishes nothing behind what others have published since.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import structlog
from opentelemetry import trace

from tailslide_aerobat.circuit_store import (
    CONNECTION_ERRORS,
    EVENTS_MAX_AGE_S,
    NO_EVENT,
    CircuitStore,
    ConflictError,
    WriteRefusedError,
)
from tailslide_aerobat.flags import Broken, Flags, Judged
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.troubles import Troubles
from tailslide_core.circuit import Circuit, Transition, dated, transition_between
from tailslide_core.contracts import CircuitEvent
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_core.sentences.transitions import transition_in_words
from tailslide_runtime.circuit_lines import tell_transition
from tailslide_runtime.tracing.context import failed, recorded

log = structlog.get_logger()
_tracer = trace.get_tracer("tailslide.aerobat")


@dataclass(frozen=True, slots=True)
class Move:
    """A transition that was decided on the circuit of `revision`, None when the bucket had none."""

    flag_id: FlagId
    transition: Transition
    revision: int | None
    ruleset: Ruleset | None = None
    """What it was decided by, for the words that tell of it."""


@dataclass(frozen=True, slots=True)
class _Published:
    """The latest event of a flag that is known of, and the generation up to which none is missing."""

    generation: int
    sequence: int


class Verdicts:
    """The writer of one connection. Errors of the connection come out; conflicts, and errors of one flag, do not."""

    def __init__(self, store: CircuitStore, flags: Flags, metrics: Metrics, troubles: Troubles) -> None:
        self._store = store
        self._flags = flags
        self._metrics = metrics
        self._troubles = troubles
        self._published: dict[FlagId, _Published] = {}

    async def write(self, move: Move) -> None:
        """Write a verdict and publish it; after a conflict do neither: the watch brings what was written instead."""
        named = {
            "feature_flag.key": move.flag_id.flag,
            "tailslide.app": move.flag_id.app,
            "tailslide.signal": move.transition.signal.value,
            "tailslide.circuit": move.transition.after.state.value,
        }
        with recorded(_tracer, "write verdict", attributes=named):
            await self._alone(move.flag_id, self._write(move))

    async def _alone(self, flag_id: FlagId, work: Coroutine[None, None, None]) -> None:
        """Do something about one flag. An error that is not the connection's ends nothing else; the next tick tries."""
        try:
            await work
        except ConflictError as conflict:
            failed(trace.get_current_span(), type(conflict).__name__)
            self._metrics.conflicts.inc()
        except CONNECTION_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 # whatever it is, the other flags go on
            failed(trace.get_current_span(), type(error).__name__)
            self._troubles.failed(flag_id, error)

    async def _write(self, move: Move) -> None:
        transition = move.transition
        await self._complete(move.flag_id, transition.before, transition.at_ms)
        circuits = self._flags.circuits
        circuits.writes(move.flag_id, transition.after)
        try:
            revision = await self._store.write(move.flag_id, transition.after, move.revision)
        except (ConflictError, WriteRefusedError) as error:
            circuits.refused(move.flag_id)
            if isinstance(error, ConflictError):
                log.info(
                    "verdict_conflict",
                    message="another aerobat was first",
                    flag=str(move.flag_id),
                    signal=transition.signal,
                )
            raise
        circuits.wrote(move.flag_id, transition.after, revision)
        # It holds from now on, whether or not there is still a connection to publish it on.
        self._metrics.transitions.labels(transition.signal).inc()
        tell_transition(
            log,
            str(move.flag_id),
            transition,
            transition_in_words(transition, move.flag_id.flag, move.ruleset).text(),
            signal=transition.signal,
        )
        await self._publish(CircuitEvent(move.flag_id, transition))

    async def restore(self, owns: Callable[[str], bool]) -> None:
        """Write verdicts again that a lost bucket no longer has: an open circuit must not let users in for that.

        `owns` says of an app whether it is ours to do so; the owner of another will.
        """
        for flag_id, circuit in self._flags.circuits.lost().items():
            if owns(flag_id.app):
                await self._alone(flag_id, self._restore(flag_id, circuit))

    async def _restore(self, flag_id: FlagId, circuit: Circuit) -> None:
        revision = await self._store.write(flag_id, circuit, None)
        self._flags.circuits.wrote(flag_id, circuit, revision)
        log.warning(
            "verdict_restored",
            message="verdict restored in a bucket that had lost it",
            flag=str(flag_id),
            state=circuit.state,
        )

    async def replace(self, broken: Broken, now_ms: int) -> None:
        """Write a circuit in the place of one that cannot be read (`docs/decisions/0017`)."""
        await self._alone(broken.flag_id, self._replace(broken, now_ms))

    async def _replace(self, broken: Broken, now_ms: int) -> None:
        flag_id = broken.flag_id
        circuit, source = broken.last_good, "memory"
        if circuit is None:
            last = await self._store.last_event(flag_id)
            if last is not None and last.event is not None:
                circuit, source = last.event.transition.after, "event"
            else:
                # Where there was an event, or may have been, calls from before it must not count; else all do.
                since_ms = 0 if last is None else now_ms
                circuit, source = Circuit(reset_generation=broken.reset_generation, since_ms=since_ms), "nothing"
        revision = await self._store.write(flag_id, circuit, broken.revision)
        self._flags.circuits.wrote(flag_id, circuit, revision)
        self._metrics.replaced_circuits.labels(source).inc()
        log.warning("circuit_replaced", flag=str(flag_id), state=circuit.state, source=source, why="it cannot be read")

    async def date_anew(self, flag: Judged, now_ms: int) -> None:
        """Let a circuit begin now that claims to have begun in a future that nobody waits for."""
        await self._alone(flag.flag_id, self._date_anew(flag, now_ms))

    async def _date_anew(self, flag: Judged, now_ms: int) -> None:
        circuit = dated(flag.circuit, flag.settings, now_ms)
        revision = await self._store.write(flag.flag_id, circuit, flag.revision)
        self._flags.circuits.wrote(flag.flag_id, circuit, revision)
        self._metrics.replaced_circuits.labels("clock").inc()
        log.warning(
            "circuit_replaced", flag=str(flag.flag_id), state=circuit.state, source="clock", why="it is of later"
        )

    async def delete(self, flag_id: FlagId, revision: int) -> None:
        """Delete the circuit of a flag that is no more."""
        await self._alone(flag_id, self._delete(flag_id, revision))

    async def _delete(self, flag_id: FlagId, revision: int) -> None:
        deletion = await self._store.delete(flag_id, revision)
        self._flags.circuits.wrote(flag_id, None, deletion)
        self._published.pop(flag_id, None)
        log.info("circuit_deleted", message="circuit deleted with its flag", flag=str(flag_id))

    async def complete_events(self, now_ms: int, owns: Callable[[str], bool]) -> None:
        """Publish the events that are missing in the apps that are ours.

        `now_ms` need not be exact, it only tells what is too old to tell.
        """
        circuits = [(flag_id, held.value) for flag_id, held in self._flags.circuits.items() if held.value is not None]
        for flag_id, circuit in circuits:
            if owns(flag_id.app):  # asked for each: there may be many, and the division may change meanwhile
                await self._alone(flag_id, self._complete(flag_id, circuit, now_ms))

    async def _complete(self, flag_id: FlagId, circuit: Circuit, now_ms: int) -> None:
        """Publish the event that led to `circuit`, if the stream does not have it."""
        known = self._published.get(flag_id)
        if known is not None and known.generation == circuit.generation:
            return
        last = await self._store.last_event(flag_id)
        before = Circuit()
        if last is not None and last.event is not None and not _is_of_an_earlier_life(last.event, circuit):
            before = last.event.transition.after
        sequence = NO_EVENT if last is None else last.sequence
        # Neither an event that the stream has let go of by age nor one that cannot be read is missing.
        readable = last is None or last.event is not None
        missing = before.generation < circuit.generation and now_ms - circuit.since_ms < EVENTS_MAX_AGE_S * 1000
        if not (readable and missing):
            self._published[flag_id] = _Published(circuit.generation, sequence)
            return
        self._published[flag_id] = _Published(before.generation, sequence)
        if await self._publish(CircuitEvent(flag_id, transition_between(before, circuit))):
            self._metrics.completed_events.inc()
            log.info("missing_event_published", flag=str(flag_id), generation=circuit.generation)

    async def _publish(self, event: CircuitEvent) -> bool:
        """Publish behind the latest event that is known of, and return whether it is in the stream by us.

        It is not when somebody else has published it, or newer ones, meanwhile.
        """
        flag_id, generation = event.flag_id, event.transition.after.generation
        behind = self._published[flag_id].sequence
        while True:
            try:
                sequence = await self._store.publish(event, behind)
            except ConflictError:
                last = await self._store.last_event(flag_id)
                behind = NO_EVENT if last is None else last.sequence
                if (
                    last is None
                    or last.event is None
                    or last.event.transition.after.generation < generation
                    or _is_of_an_earlier_life(last.event, event.transition.after)
                ):
                    continue
                self._published[flag_id] = _Published(last.event.transition.after.generation, behind)
                return False
            self._published[flag_id] = _Published(generation, sequence)
            return True


def _is_of_an_earlier_life(event: CircuitEvent, circuit: Circuit) -> bool:
    """Whether an event is of a flag that was deleted and created again, with generations that start over."""
    last = event.transition
    return last.after.generation >= circuit.generation and last.at_ms < circuit.since_ms
