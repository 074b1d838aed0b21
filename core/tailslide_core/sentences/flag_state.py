"""A flag's state as people read it: one word, and sentences that say what is true, why, and what comes next."""

from dataclasses import dataclass
from enum import StrEnum

from tailslide_core.circuit import QUIET_PATIENCE, Circuit, State
from tailslide_core.contracts import Json
from tailslide_core.effective_circuit import effective_circuit
from tailslide_core.ramp import FULL, next_percentage
from tailslide_core.ruleset import DAY_MS, CircuitSettings, Ruleset
from tailslide_core.sentences.arrivals import arrival_in_words
from tailslide_core.sentences.calls import calls_in_step, calls_in_words
from tailslide_core.sentences.facts import Arrival, Deed, FlagFacts, Opening
from tailslide_core.sentences.numbers import counted, percent, rough_span, sentence_case
from tailslide_core.sentences.openings import why_opened
from tailslide_core.sentences.phrases import UTC, Age, Countdown, Moment, Sentence, Zone, written
from tailslide_core.sentences.quoted import name_or, reason_of

OPENING_SHOWN_MS = 7 * DAY_MS
"""How long the last opening stays in the sentences after the circuit has closed."""
OVERDUE_MS = 5_000
"""What should have happened so long ago is said to be overdue."""


class FlagState(StrEnum):
    """The states that people tell apart."""

    ON = "on"
    OFF = "off"
    """Turned off by a person, or archived."""
    OPEN = "open"
    RECOVERING = "recovering"
    HELD_OFF = "held_off"
    """A person has forced the circuit open."""
    ARRIVING = "arriving"
    """The last change has not reached all sidecars that are heard from, or is not published."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class StateInWords:
    """A flag's state in words, as of `now_ms`.

    `word` goes with the icon and the colour of `state`: `On · 25%`, `Arriving 11/12`. `settled` is the state that it is
    once the change has arrived, or was when it was last known; another one than `state` only for arriving and unknown.
    The first of the sentences is the main one.
    """

    state: FlagState
    word: str
    settled: FlagState
    sentences: tuple[Sentence, ...]
    now_ms: int

    def text(self, zone: Zone = UTC) -> str:
        """Return all sentences."""
        return written(self.sentences, self.now_ms, zone)

    def json(self, zone: Zone = UTC) -> Json:
        """Return it as the API shows it; the dashboard writes `parts` with the reader's own clock."""
        return {
            "state": self.state,
            "word": self.word,
            "settled": self.settled,
            "sentence": self.text(zone),
            "parts": [sentence.json() for sentence in self.sentences],
        }


def state_in_words(facts: FlagFacts, now_ms: int) -> StateInWords:
    """Say what is true of a flag at `now_ms`, Unix milliseconds."""
    settled = _settled(facts)
    if facts.as_of_ms is not None:
        return _stale(facts, settled, facts.as_of_ms, now_ms, "the live connection is gone")
    if facts.circuit_as_of_ms is not None and _depends_on_circuit(facts, settled):
        return _stale(facts, settled, facts.circuit_as_of_ms, now_ms, "NATS cannot be reached")
    arrival = facts.arrival
    sentences = _sentences(facts, settled, now_ms)
    state, word = settled, _WORDS[settled]
    if settled is FlagState.ON:
        word = f"On · {percent(facts.ruleset.rollout)}"
    elif facts.archived_ms is not None:
        word = "Archived"
    elif settled is FlagState.RECOVERING and facts.circuit is not None:
        word = f"Recovering · {percent(facts.circuit.percentage)}"
    if arrival is not None and arrival.on_its_way and settled not in _LOUDER:
        state, word = FlagState.ARRIVING, _arriving(arrival)
    return StateInWords(state, word, settled, sentences, now_ms)


_WORDS = {
    FlagState.ON: "On",
    FlagState.OFF: "Off",
    FlagState.OPEN: "Open",
    FlagState.RECOVERING: "Recovering",
    FlagState.HELD_OFF: "Held off",
    FlagState.UNKNOWN: "Unknown",
}
_LOUDER = frozenset({FlagState.OPEN, FlagState.RECOVERING, FlagState.UNKNOWN})
"""States that a change on its way does not hide."""


def _arriving(arrival: Arrival) -> str:
    return f"Arriving {arrival.arrived:,}/{arrival.of:,}" if arrival.of else "Arriving"


def _depends_on_circuit(facts: FlagFacts, settled: FlagState) -> bool:
    return facts.ruleset.circuit is not None and settled in {FlagState.ON, FlagState.OPEN, FlagState.RECOVERING}


def _stale(facts: FlagFacts, settled: FlagState, as_of_ms: int, now_ms: int, why: str) -> StateInWords:
    known = tuple(sentence.as_of(as_of_ms) for sentence in _sentences(facts, settled, as_of_ms))
    gone = Sentence.of("Shown as of ", Moment(as_of_ms), f": {why}, trying again.")
    return StateInWords(FlagState.UNKNOWN, _WORDS[FlagState.UNKNOWN], settled, (gone, *known), now_ms)


def _settled(facts: FlagFacts) -> FlagState:
    ruleset = facts.ruleset
    if not ruleset.active or facts.archived_ms is not None:
        return FlagState.OFF
    settings = ruleset.circuit
    if settings is None:
        return FlagState.ON
    if settings.forced_open:
        return FlagState.HELD_OFF
    if not facts.circuit_known:
        return FlagState.UNKNOWN
    effective = effective_circuit(ruleset, facts.circuit)
    match State.CLOSED if effective is None else effective.state:
        case State.OPEN:
            return FlagState.OPEN
        case State.RECOVERING:
            return FlagState.RECOVERING
        case _:
            return FlagState.ON


def _sentences(facts: FlagFacts, settled: FlagState, now_ms: int) -> tuple[Sentence, ...]:
    ruleset, circuit, settings = facts.ruleset, facts.circuit, facts.ruleset.circuit
    said: list[Sentence]
    if facts.archived_ms is not None:
        said = _archived(facts.archived_ms, facts.deed)
    elif settled is FlagState.OFF:
        said = _off(ruleset, facts.deed)
    elif settled is FlagState.HELD_OFF:
        said = _held_off(facts.deed)
    elif settled is FlagState.OPEN and circuit is not None and settings is not None:
        said = _open(ruleset, circuit, settings, now_ms)
    elif settled is FlagState.RECOVERING and circuit is not None and settings is not None:
        said = _recovering(facts, circuit, settings, now_ms)
    else:
        said = _on(facts, settled, now_ms)
    if facts.arrival is not None:
        said += arrival_in_words(facts.arrival, now_ms)
    return tuple(said)


def _off(ruleset: Ruleset, deed: Deed | None) -> list[Sentence]:
    if deed is None:
        said = [Sentence.of("Turned off: nobody gets it.")]
    else:
        who = name_or(deed.who, "")
        by = f" by {who}" if who else ""
        off = f"Off since it was created{by} " if deed.created else f"Turned off{by} "
        said = [Sentence.of(off, Age(deed.at_ms), f" ago{reason_of(deed.reason)}.")]
    if ruleset.circuit is not None:
        said.append(Sentence.of("The circuit is not judged while it is off."))
    return said


def _archived(archived_ms: int, deed: Deed | None) -> list[Sentence]:
    who = "" if deed is None else name_or(deed.who, "")
    why = "" if deed is None else reason_of(deed.reason)
    return [
        Sentence.of(f"Archived{f' by {who}' if who else ''} ", Age(archived_ms), f" ago{why}."),
        Sentence.of("Sidecars do not get it; callers fall back to their own default."),
    ]


def _held_off(deed: Deed | None) -> list[Sentence]:
    fallback = Sentence.of("Calls go to the fallback.")
    if deed is None:
        return [Sentence.of("Held off by a person (forced open)."), fallback]
    who = name_or(deed.who, "a person")
    return [
        Sentence.of(f"Held off by {who} (forced open) for ", Age(deed.at_ms), f"{reason_of(deed.reason)}."),
        fallback,
    ]


def _open(ruleset: Ruleset, circuit: Circuit, settings: CircuitSettings, now_ms: int) -> list[Sentence]:
    return [
        Sentence.of("Circuit open for ", Age(circuit.since_ms), ": nobody gets it, and calls go to the fallback."),
        Sentence.of(f"{sentence_case(why_opened(circuit.reason, ruleset))}."),
        _way_back(circuit, settings, now_ms),
    ]


def _way_back(circuit: Circuit, settings: CircuitSettings, now_ms: int) -> Sentence:
    recovery = settings.recovery
    if recovery is None:
        return Sentence.of("It stays open until a person resets it.")
    first = f"{percent(recovery.initial)} first"
    if circuit.next_ms is None:
        return Sentence.of(f"When users come back, {first}, is not known.")
    if now_ms - circuit.next_ms > OVERDUE_MS:
        due = Sentence.of(
            "Users were due back at ", Moment(circuit.next_ms), f", {first}, and have not been let in yet"
        )
        return Sentence.of(due, ": Aerobat, which lets them in, may be down.")
    return Sentence.of("The circuit lets users back in by itself from ", Moment(circuit.next_ms), f", {first}.")


def _recovering(facts: FlagFacts, circuit: Circuit, settings: CircuitSettings, now_ms: int) -> list[Sentence]:
    step = Sentence.of(f"Recovering: {percent(circuit.percentage)} of the rollout since ", Moment(circuit.since_ms))
    said = [Sentence.of(step, *_next_step(facts, circuit, settings, now_ms), ".")]
    said += calls_in_step(facts, settings)
    opening = facts.last_opening
    why = why_opened(circuit.reason if opening is None else opening.reason, facts.ruleset, past=True)
    if opening is not None:
        said.append(Sentence.of("It opened at ", Moment(opening.at_ms), f": {why}."))
    elif circuit.reason is not None:
        said.append(Sentence.of(f"It had opened: {why}."))
    return said


def _next_step(
    facts: FlagFacts, circuit: Circuit, settings: CircuitSettings, now_ms: int
) -> tuple[str | Moment | Countdown, ...]:
    if circuit.next_ms is None or settings.recovery is None:
        return (", and stays there until a person resets it",)
    if now_ms <= circuit.next_ms:
        recovery = settings.recovery
        following = next_percentage(circuit.percentage, recovery.increment, recovery.profile)
        what = "everyone" if following >= FULL else percent(following)
        return (f", next step ({what}) in ", Countdown(circuit.next_ms))
    step = facts.step_counts
    at_last_ms = circuit.since_ms + QUIET_PATIENCE * settings.recovery.interval_ms
    if step is not None and step.calls == 0 and now_ms <= at_last_ms:
        return (", next step with its first calls, or without any in ", Countdown(at_last_ms))
    if step is not None and _has_too_many_bad(step.calls, step.failures, settings.error_threshold):
        return (", and waits for more calls: too many of this step have failed",)
    if step is not None and _has_too_many_bad(step.calls, step.slow, settings.slow_threshold):
        return (", and waits for more calls: too many of this step were slow",)
    if now_ms - at_last_ms > OVERDUE_MS:
        return (", and has not moved on: Aerobat, which judges it, may be down",)
    return (", next step due",)


def _has_too_many_bad(calls: int, bad: int, threshold: float | None) -> bool:
    return threshold is not None and bad * 100 > threshold * calls


def _on(facts: FlagFacts, settled: FlagState, now_ms: int) -> list[Sentence]:
    said = [Sentence.of(f"On for {_whom(facts.ruleset)}.")]
    if settled is FlagState.UNKNOWN:
        said.append(Sentence.of("Whether its circuit is open is not known: nothing has been read of circuits yet."))
    said += calls_in_words(facts)
    if settled is FlagState.ON and facts.ruleset.circuit is not None:
        said += _last_opening(facts, now_ms)
    return said


def _whom(ruleset: Ruleset) -> str:
    """Return for whom a flag is on; what decides for single users is named, and not worked out."""
    exceptions = []
    if ruleset.rules:
        exceptions.append(
            "its rule" if len(ruleset.rules) == 1 else f"one of its {counted(len(ruleset.rules), 'rule')}"
        )
    if ruleset.allow or ruleset.deny:
        exceptions.append("a list of users")
    if ruleset.rollout <= 0:
        return f"nobody but whom {' or '.join(exceptions)} lets in" if exceptions else "nobody yet: the rollout is 0%"
    users = "all users" if ruleset.rollout >= FULL else f"{percent(ruleset.rollout)} of users"
    if exceptions:
        users += f", except where {' or '.join(exceptions)} decides"
    if ruleset.requires:
        others = [requirement.flag for requirement in ruleset.requires]
        named_others = others[0] if len(others) == 1 else f"{counted(len(others), 'other flag')}"
        users += f"; it requires {named_others}"
    return users


def _last_opening(facts: FlagFacts, now_ms: int) -> list[Sentence]:
    circuit, opening = facts.circuit, facts.last_opening
    if opening is None and circuit is not None:
        opening = _opening_of(circuit)
    if opening is None:
        return []
    ended_ms = opening.closed_ms if opening.closed_ms is not None else opening.at_ms
    if now_ms - ended_ms > OPENING_SHOWN_MS:
        return []
    why = why_opened(opening.reason, facts.ruleset, past=True)
    at = () if opening.at_ms == 0 else (" at ", Moment(opening.at_ms))
    said = [Sentence.of("Its circuit last opened", *at, f": {why}.")]
    if opening.closed_ms is not None:
        lasted = "" if opening.at_ms == 0 else f", after {rough_span(opening.closed_ms - opening.at_ms)}"
        said.append(Sentence.of("It closed again at ", Moment(opening.closed_ms), f"{lasted}."))
    return said


def _opening_of(circuit: Circuit) -> Opening | None:
    """Return what a circuit itself remembers of its last opening.

    One that still says open, under a ruleset for which it counts as closed, was reset by a person a moment ago.
    """
    if circuit.reason is None:
        return None
    if circuit.state is State.OPEN:
        return Opening(circuit.since_ms, circuit.reason)
    closed_ms = circuit.since_ms if circuit.state is State.CLOSED else None
    return Opening(0, circuit.reason, closed_ms)
