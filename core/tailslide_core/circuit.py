"""The circuit: its states, what moves it, and every transition, as one table. Nothing else knows them.

Pure: `step` is handed the time and the counts. When counts are a breach is `breach`'s; reading counts and writing
verdicts is Aerobat's.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tailslide_core.breach import TripReason, breach
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.ramp import FULL, next_percentage
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset
from tailslide_core.windows import WindowCounts

QUIET_PATIENCE = 3
"""A recovery step without any calls lasts this many times its interval."""


class State(StrEnum):
    """What a circuit does with users: lets all in, lets none in, or lets a growing part back in."""

    CLOSED = "closed"
    OPEN = "open"
    RECOVERING = "recovering"


class Signal(StrEnum):
    """What can happen to a circuit."""

    BREACH = "breach"
    """The error rate or the slow-call rate is above its threshold, with certainty."""
    DELAY_OVER = "delay_over"
    """The recovery delay of an open circuit has passed."""
    STEP_PASSED = "step_passed"
    """A recovery step has ended without a breach, and the next lets fewer than all in."""
    RAMP_FINISHED = "ramp_finished"
    """A recovery step has ended without a breach, and the next would let all in."""
    CALM = "calm"
    """A closed circuit stayed closed for as long as its last delay."""
    RESET = "reset"
    """A person has reset the circuit."""
    UNKNOWN = "unknown"
    """One that only a newer Tailslide knows, in an event that is read; it moves nothing."""


TRANSITIONS: Mapping[tuple[State, Signal], State] = {
    (State.CLOSED, Signal.BREACH): State.OPEN,
    (State.CLOSED, Signal.CALM): State.CLOSED,
    (State.CLOSED, Signal.RESET): State.CLOSED,
    (State.OPEN, Signal.DELAY_OVER): State.RECOVERING,
    (State.OPEN, Signal.RESET): State.CLOSED,
    (State.RECOVERING, Signal.BREACH): State.OPEN,
    (State.RECOVERING, Signal.STEP_PASSED): State.RECOVERING,
    (State.RECOVERING, Signal.RAMP_FINISHED): State.CLOSED,
    (State.RECOVERING, Signal.RESET): State.CLOSED,
}


class IllegalTransition(ValueError):  # noqa: N818 # named after what happened, as in the field's own texts
    """A signal that the table does not know for the state of the circuit."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """The verdict on a flag. Times are Unix milliseconds by the clock of the time series server."""

    state: State = State.CLOSED
    percentage: float = FULL
    """Percent of the rolled-out users who are let in: 100 closed, 0 open."""
    trips: int = 0
    """Trips in a row; 0 again once closed for as long as the last delay."""
    generation: int = 0
    """Raised by one with each transition; after the highest that can be read comes 1 again."""
    reset_generation: int = 0
    """The ruleset's, when this verdict was made."""
    since_ms: int = 0
    """When this state, or this recovery step, began. Only later calls count."""
    next_ms: int | None = None
    """When time alone will move it on at the earliest; None when it will not."""
    reason: TripReason | None = None
    """Why it last opened; forgotten together with `trips`."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One move of a circuit, as it is published."""

    signal: Signal
    at_ms: int
    before: Circuit
    after: Circuit


@dataclass(frozen=True, slots=True)
class Step:
    """What a look at a circuit came to: the circuit as it is now, and the transition that made it so, if any."""

    circuit: Circuit
    transition: Transition | None = None


def step(
    circuit: Circuit, flag: Ruleset, counts: Sequence[WindowCounts], now_ms: int, complete_from_ms: int = 0
) -> Step:
    """Look at a circuit once and move it by at most one transition.

    `counts` are the calls since `circuit.since_ms` over the ladder of windows, ascending. They are known to be complete
    since `complete_from_ms`, which may lie ahead: after an outage of the time series some are still on their way.

    While a person holds the flag off, by turning it off or forcing the circuit open, nothing but a reset moves it: no
    calls come in that could speak for the feature.
    """
    settings = flag.circuit
    if settings is None:
        return Step(circuit)
    if settings.reset_generation > circuit.reset_generation:
        return _move(circuit, Signal.RESET, settings, now_ms, None)
    if not flag.active or settings.forced_open:
        return Step(circuit)
    if circuit.state is not State.OPEN and (reason := breach(settings, counts)) is not None:
        return _move(circuit, Signal.BREACH, settings, now_ms, reason)
    signal = _signal_of_time(circuit, settings, counts, now_ms, complete_from_ms)
    return Step(circuit) if signal is None else _move(circuit, signal, settings, now_ms, circuit.reason)


def _signal_of_time(
    circuit: Circuit, settings: CircuitSettings, counts: Sequence[WindowCounts], now_ms: int, complete_from_ms: int
) -> Signal | None:
    if circuit.state is State.CLOSED:
        calm = circuit.trips > 0 and now_ms - circuit.since_ms >= delay_ms(settings.recovery, circuit.trips)
        return Signal.CALM if calm else None
    recovery = settings.recovery
    if recovery is None:
        return None
    if circuit.state is State.OPEN:
        over = now_ms - circuit.since_ms >= delay_ms(recovery, circuit.trips)
        return Signal.DELAY_OVER if over else None
    elapsed_ms = now_ms - max(circuit.since_ms, complete_from_ms)
    if elapsed_ms < recovery.interval_ms * _patience(settings, counts):
        return None
    following = next_percentage(circuit.percentage, recovery.increment, recovery.profile)
    return Signal.RAMP_FINISHED if following >= FULL else Signal.STEP_PASSED


def _patience(settings: CircuitSettings, counts: Sequence[WindowCounts]) -> float:
    """Return how many intervals a recovery step lasts, by what its calls say.

    The bounds need some calls before they condemn. A step of which more calls went badly than the thresholds allow
    waits for more of them, for better or worse: until they are a breach, or no longer too many.
    """
    whole = counts[-1] if counts else WindowCounts(0)
    if whole.calls == 0:
        return QUIET_PATIENCE
    slow_threshold = FULL if settings.slow_threshold is None else settings.slow_threshold
    failing = whole.failures * 100 > settings.error_threshold * whole.calls
    slow = whole.slow * 100 > slow_threshold * whole.calls
    return math.inf if failing or slow else 1


def delay_ms(recovery: Recovery | None, trips: int) -> int:
    """Return how long a circuit that tripped `trips` times in a row stays open: doubled at each, up to the maximum.

    0 without recovery, where it waits for a person instead.
    """
    if recovery is None:
        return 0
    return min(recovery.delay_ms << min(max(trips - 1, 0), 40), recovery.max_delay_ms)


def _move(circuit: Circuit, signal: Signal, settings: CircuitSettings, now_ms: int, reason: TripReason | None) -> Step:
    """Apply one row of the table; raise `IllegalTransition` when there is none."""
    target = TRANSITIONS.get((circuit.state, signal))
    if target is None:
        raise IllegalTransition(f"a circuit that is {circuit.state} cannot take {signal}")
    after = replace(
        _AFTER[signal](circuit, settings),
        state=target,
        reason=reason if signal is not Signal.CALM else None,
        generation=circuit.generation % MAX_INTEGER + 1,
        reset_generation=settings.reset_generation,
    )
    after = dated(after, settings, circuit.since_ms if signal is Signal.CALM else now_ms)
    return Step(after, Transition(signal, now_ms, circuit, after))


def dated(circuit: Circuit, settings: CircuitSettings, since_ms: int) -> Circuit:
    """Return the same circuit as one whose state, or recovery step, began at that time. Nothing else about it moves."""
    began = replace(circuit, since_ms=since_ms)
    return replace(began, next_ms=_next_ms(began, settings))


def transition_between(before: Circuit, after: Circuit) -> Transition:
    """Return the transition that must have led from one circuit to the other, as the table has it.

    Where several signals lead there, a reset is known by its number. Where none does, because more than one event is
    missing, it is the first signal that leads to the state at all.
    """
    fitting: Sequence[Signal] = [
        signal for (state, signal), target in TRANSITIONS.items() if (state, target) == (before.state, after.state)
    ] or [signal for (_, signal), target in TRANSITIONS.items() if target is after.state]
    reset = after.reset_generation > before.reset_generation
    signal = next((signal for signal in fitting if (signal is Signal.RESET) == reset), fitting[0])
    # Calm keeps `since_ms`; it came about when it was due.
    at_ms = before.next_ms if signal is Signal.CALM and before.next_ms is not None else after.since_ms
    return Transition(signal, at_ms, before, after)


def _next_percentage(circuit: Circuit, settings: CircuitSettings) -> Circuit:
    assert settings.recovery is not None
    recovery = settings.recovery
    return replace(circuit, percentage=next_percentage(circuit.percentage, recovery.increment, recovery.profile))


def _first_percentage(circuit: Circuit, settings: CircuitSettings) -> Circuit:
    assert settings.recovery is not None
    return replace(circuit, percentage=settings.recovery.initial)


_AFTER: Mapping[Signal, Callable[[Circuit, CircuitSettings], Circuit]] = {
    Signal.BREACH: lambda circuit, _: replace(circuit, percentage=0.0, trips=min(circuit.trips + 1, MAX_INTEGER)),
    Signal.DELAY_OVER: _first_percentage,
    Signal.STEP_PASSED: _next_percentage,
    Signal.RAMP_FINISHED: lambda circuit, _: replace(circuit, percentage=FULL),
    Signal.CALM: lambda circuit, _: replace(circuit, trips=0),
    Signal.RESET: lambda circuit, _: replace(circuit, percentage=FULL, trips=0),
}
"""What each signal changes beside the state, the times and the generation."""


def _next_ms(circuit: Circuit, settings: CircuitSettings) -> int | None:
    match circuit.state:
        case State.OPEN:
            return None if settings.recovery is None else circuit.since_ms + delay_ms(settings.recovery, circuit.trips)
        case State.RECOVERING:
            return None if settings.recovery is None else circuit.since_ms + settings.recovery.interval_ms
        case State.CLOSED:
            return circuit.since_ms + delay_ms(settings.recovery, circuit.trips) if circuit.trips else None
