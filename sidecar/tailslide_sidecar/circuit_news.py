"""Tells in the log that a circuit has moved, why, and what comes next: as it applies to the calls of this sidecar.

What it says is `tailslide_core.sentences`'s. No I/O but the log.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from tailslide_core.circuit import Circuit, State
from tailslide_core.ramp import FULL
from tailslide_core.ruleset import CircuitSettings
from tailslide_core.seen_circuits import SeenCircuits
from tailslide_core.sentences.facts import FlagFacts
from tailslide_core.sentences.flag_state import state_in_words
from tailslide_core.sentences.transitions import transition_in_words
from tailslide_runtime.circuit_lines import tell_transition
from tailslide_sidecar.flag_store import FlagStore, HeldFlag

log = structlog.get_logger()


class CircuitNews:
    """Knows what of the circuits of one app has been told."""

    def __init__(self, store: FlagStore, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix time in seconds."""
        self._store = store
        self._clock = clock
        self._seen = SeenCircuits()
        self._forced_open: set[str] = set()

    def look(self, flags: Iterable[str] | None = None) -> None:
        """Tell what is new of these flags, of all without any; nothing before there are rulesets."""
        if self._store.origin is None:
            return
        now_ms = round(self._clock() * 1000)
        for flag in list(self._store.all_held()) if flags is None else flags:
            try:
                self._look(flag, self._store.held(flag), now_ms)
            except Exception:  # whatever cannot be told, the flag works and the others are told
                log.exception("circuit_not_told", flag=flag[:200])

    def _look(self, flag: str, held: HeldFlag | None, now_ms: int) -> None:
        settings = None if held is None else held.ruleset.circuit
        if held is None or settings is None:
            self._seen.saw(flag, None)
            self._forced_open.discard(flag)
            return
        if settings.forced_open is not (flag in self._forced_open):
            self._tell_forced(flag, held, settings, now_ms)
        circuit = _as_it_counts(held.circuit, settings, now_ms)
        transition = self._seen.saw(flag, circuit)
        if transition is not None:
            message = transition_in_words(transition, flag, held.ruleset).news(now_ms)
            tell_transition(log, flag, transition, message)

    def _tell_forced(self, flag: str, held: HeldFlag, settings: CircuitSettings, now_ms: int) -> None:
        message = state_in_words(FlagFacts(held.ruleset, held.circuit), now_ms).text()
        if settings.forced_open:
            self._forced_open.add(flag)
            log.warning("circuit_forced_open", flag=flag, message=message)
        else:
            self._forced_open.discard(flag)
            log.info("circuit_no_longer_forced_open", flag=flag, message=message)


def _as_it_counts(circuit: Circuit | None, settings: CircuitSettings, now_ms: int) -> Circuit | None:
    """Return a circuit as it applies: one from before a person's reset is closed, even if Aerobat has not said so."""
    if circuit is None or circuit.state is State.CLOSED or circuit.reset_generation >= settings.reset_generation:
        return circuit
    return replace(
        circuit,
        state=State.CLOSED,
        percentage=FULL,
        trips=0,
        reset_generation=settings.reset_generation,
        since_ms=now_ms,
        next_ms=None,
    )
