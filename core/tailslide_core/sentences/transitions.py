"""A move of a circuit, in words: what happened and why, what users get now, and what comes next."""

from dataclasses import dataclass
from enum import StrEnum

from tailslide_core.circuit import Circuit, Signal, State, Transition
from tailslide_core.ruleset import Ruleset
from tailslide_core.sentences.numbers import percent
from tailslide_core.sentences.openings import why_opened
from tailslide_core.sentences.phrases import UTC, Age, Moment, Sentence, Zone, written
from tailslide_core.sentences.quoted import named

LATE_MS = 60_000
"""What happened longer ago says when it did, where it is told as news."""


class Move(StrEnum):
    """The kinds of moves that people tell apart."""

    OPENED = "opened"
    REOPENED = "reopened"
    """It opened while it was recovering."""
    RECOVERING = "recovering"
    """The first users are let back in."""
    STEP = "step"
    """More users are let back in."""
    CLOSED = "closed"
    RESET = "reset"
    """A person has closed it."""
    CALM = "calm"
    """It has stayed closed for long enough that its earlier trips are forgotten."""
    UNKNOWN = "unknown"


def move_of(transition: Transition) -> Move:
    """Return the kind of a transition."""
    match transition.signal:
        case Signal.BREACH:
            return Move.OPENED if transition.before.state is State.CLOSED else Move.REOPENED
        case signal:
            return _MOVES.get(signal, Move.UNKNOWN)


_MOVES = {
    Signal.DELAY_OVER: Move.RECOVERING,
    Signal.STEP_PASSED: Move.STEP,
    Signal.RAMP_FINISHED: Move.CLOSED,
    Signal.CALM: Move.CALM,
    Signal.RESET: Move.RESET,
}


def happened_late(at_ms: int) -> Sentence:
    """Say when something happened that is told only now. Unix milliseconds."""
    return Sentence.of("This happened ", Age(at_ms), " ago, at ", Moment(at_ms), ".")


@dataclass(frozen=True, slots=True)
class TransitionInWords:
    """A transition in words. `what` names the flag and says why; `users` what they get now; `following` what comes."""

    move: Move
    at_ms: int
    what: Sentence
    users: Sentence
    following: Sentence | None

    def text(self, zone: Zone = UTC) -> str:
        """Return all of it, as of the moment when it happened."""
        return written(self._said, self.at_ms, zone)

    def news(self, now_ms: int, zone: Zone = UTC) -> str:
        """Return all of it as it is told at `now_ms`; what is late says when it happened, and speaks of then."""
        return written(self.told(now_ms), now_ms, zone)

    def told(self, now_ms: int) -> tuple[Sentence, ...]:
        """Return the sentences of `news` one by one, for those who put each on a line of its own."""
        if now_ms - self.at_ms <= LATE_MS:
            return self._said
        return (happened_late(self.at_ms), *(sentence.as_of(self.at_ms) for sentence in self._said))

    @property
    def _said(self) -> tuple[Sentence, ...]:
        said = (self.what, self.users)
        return said if self.following is None else (*said, self.following)


def transition_in_words(
    transition: Transition, flag: str, ruleset: Ruleset | None, *, fallback: str = "Calls go to the fallback"
) -> TransitionInWords:
    """Say a transition of the circuit of `flag` in words; `ruleset` is the flag's, as far as it is known."""
    move, after = move_of(transition), transition.after
    name = named(flag)
    circuit = f"The circuit of {name}"
    users, following = _users(after, name, fallback), _following(after, ruleset)
    match move:
        case Move.OPENED | Move.REOPENED:
            how = "opened" if move is Move.OPENED else "opened again while it was recovering"
            what = f"{circuit} {how}: {why_opened(after.reason, ruleset)}."
        case Move.RECOVERING:
            what = f"{circuit} lets users back in: {percent(after.percentage)} of the rollout."
        case Move.STEP:
            before = percent(transition.before.percentage)
            what = f"{circuit} lets more users back in: {percent(after.percentage)} of the rollout, after {before}."
        case Move.CLOSED:
            what = f"{circuit} closed: its recovery went well."
        case Move.RESET:
            what = f"{circuit} was reset by a person."
        case Move.CALM:
            what = f"{circuit} stayed closed; its earlier trips are forgotten."
        case _:
            states = f"from {transition.before.state} to {after.state}"
            what = f"{circuit} moved {states}, for a reason that only a newer Tailslide knows."
    return TransitionInWords(move, transition.at_ms, Sentence.of(what), users, following)


def _users(after: Circuit, name: str, fallback: str) -> Sentence:
    match after.state:
        case State.OPEN:
            return Sentence.of(f"Nobody gets {name} now. {fallback}.")
        case State.RECOVERING:
            return Sentence.of(f"{percent(after.percentage)} of the users in the rollout get {name} now.")
        case State.CLOSED:
            return Sentence.of(f"All users in the rollout get {name}.")


def _following(after: Circuit, ruleset: Ruleset | None) -> Sentence | None:
    recovery = None if ruleset is None or ruleset.circuit is None else ruleset.circuit.recovery
    match after.state:
        case State.CLOSED:
            return None
        case State.OPEN:
            if after.next_ms is None:
                return Sentence.of("It stays open until a person resets it.")
            first = "" if recovery is None else f", {percent(recovery.initial)} first"
            return Sentence.of("The circuit lets users back in by itself from ", Moment(after.next_ms), f"{first}.")
        case State.RECOVERING:
            if after.next_ms is None:
                return Sentence.of("It stays there until a person resets it.")
            return Sentence.of("If its calls go well, the next step comes at ", Moment(after.next_ms), ".")
