"""A flag's state, put together of what Tower knows from elsewhere: the buckets, the sidecars, the log and the series.

All but the log and the series is in memory. Where one of these cannot be asked, the state is said without it.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from tailslide_core.breach import TripReason
from tailslide_core.circuit import Circuit
from tailslide_core.contracts import Json
from tailslide_core.effective_circuit import effective_circuit
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_core.sentences.facts import Arrival, Deed, FlagFacts, Opening
from tailslide_core.sentences.flag_state import StateInWords, state_in_words
from tailslide_core.sentences.numbers import sentence_case
from tailslide_core.sentences.openings import why_opened
from tailslide_core.windows import WindowCounts
from tailslide_tower.database import Database, DatabaseUnavailableError
from tailslide_tower.flag_states import deeds
from tailslide_tower.flag_states.arriving import arrival_of, is_published
from tailslide_tower.flag_states.news import News
from tailslide_tower.sidecars.registry import SidecarRegistry
from tailslide_tower.times import timestamp

log = structlog.get_logger()

MAX_MISSING_SHOWN = 100


class ShownFlag(Protocol):
    """A flag as Tower keeps it."""

    @property
    def ruleset(self) -> Ruleset:
        """Return what is published of it."""

    @property
    def updated_at(self) -> datetime:
        """Return when it was last changed."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls of a feature: over windows that end now, shortest first, and since a moment."""

    windows: Sequence[WindowCounts]
    step: WindowCounts | None = None


CountCalls = Callable[[Mapping[FlagId, int | None]], Awaitable[Mapping[FlagId, Counts] | None]]
"""Returns the counts of flags, of which some are in a recovery step that began at that time (Unix milliseconds); None
while the series cannot be read."""


async def no_counts(flags: Mapping[FlagId, int | None]) -> Mapping[FlagId, Counts] | None:
    """Return no counts of any flag: nobody counts."""
    return {}


class FlagStates:
    """Says the states of flags."""

    def __init__(
        self,
        database: Database,
        news: News,
        sidecars: SidecarRegistry,
        *,
        why_not_published: Callable[[FlagId], str | None],
        count_calls: CountCalls = no_counts,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`why_not_published` says what keeps changes of a flag from being published now, if anything does."""
        self._database = database
        self._news = news
        self._sidecars = sidecars
        self._why_not_published = why_not_published
        self._count_calls = count_calls
        self._now_s = now_s

    async def describe(self, flag: ShownFlag) -> Json:
        """Return the state of one flag as the API shows it."""
        return (await self.describe_all([flag]))[0]

    async def describe_all(self, flags: Sequence[ShownFlag]) -> list[Json]:
        """Return the states of flags, in their order; what has to be asked for is asked for once for all of them."""
        now_ms = self.now_ms()
        facts = await self.facts_of(flags, now_ms)
        return [self._json(each, state_in_words(each, now_ms)) for each in facts]

    def now_ms(self) -> int:
        """Return Tower's time, Unix milliseconds."""
        return round(self._now_s() * 1000)

    async def facts_of(self, flags: Sequence[ShownFlag], now_ms: int) -> list[FlagFacts]:
        """Return all that is known of flags, in their order."""
        done = await self._deeds([flag.ruleset for flag in flags])
        recovering = {flag.ruleset.flag_id: self._step_began(flag.ruleset) for flag in flags if flag.ruleset.active}
        counts = await self._count_calls(recovering)
        return [self._facts(flag, now_ms, done.get(flag.ruleset.flag_id), counts) for flag in flags]

    def _facts(
        self, flag: ShownFlag, now_ms: int, deed: Deed | None, counts: Mapping[FlagId, Counts] | None
    ) -> FlagFacts:
        ruleset, circuits = flag.ruleset, self._news.circuits
        flag_id = ruleset.flag_id
        counted = None if counts is None else counts.get(flag_id)
        return FlagFacts(
            ruleset,
            circuit=circuits.get(flag_id),
            circuit_known=self._news.circuits_known,
            circuit_as_of_ms=self._news.circuits_as_of_ms(now_ms) if self._news.circuits_known else None,
            counts=None if counted is None else counted.windows,
            counts_readable=counts is not None,
            step_counts=None if counted is None else counted.step,
            deed=deed,
            last_opening=circuits.last_opening(flag_id),
            arrival=self.arrival(flag, now_ms),
        )

    def _step_began(self, ruleset: Ruleset) -> int | None:
        circuit = self._news.circuits.get(ruleset.flag_id)
        effective = effective_circuit(ruleset, circuit)
        return None if circuit is None or effective is None or effective.state != "recovering" else circuit.since_ms

    async def _deeds(self, rulesets: Collection[Ruleset]) -> Mapping[FlagId, Deed]:
        off = [ruleset.flag_id for ruleset in rulesets if not ruleset.active]
        forced = [
            ruleset.flag_id
            for ruleset in rulesets
            if ruleset.active and ruleset.circuit is not None and ruleset.circuit.forced_open
        ]
        if not off and not forced:
            return {}
        try:
            async with self._database.begin() as connection:
                return {
                    **await deeds.last_turned_off(connection, off),
                    **await deeds.last_forced_open(connection, forced),
                }
        except DatabaseUnavailableError as error:
            log.warning("log_not_read", error=str(error))
            return {}

    def arrival(self, flag: ShownFlag, now_ms: int) -> Arrival:
        """Return how far the last change of a flag has come."""
        flag_id, published = flag.ruleset.flag_id, self._news.published
        held = published.get(flag_id)
        is_there = is_published(flag.ruleset.version, held, known=self._news.published_known)
        sidecars = (
            (sidecar, now_ms - round(self._sidecars.silent_for_s(sidecar) * 1000))
            for sidecar in self._sidecars.of(flag_id.app)
        )
        problem = None if is_there else self._why_not_published(flag_id)
        changed_ms = round(flag.updated_at.timestamp() * 1000)
        return arrival_of(flag_id, held, is_there, sidecars, changed_ms=changed_ms, problem=problem)

    def _json(self, facts: FlagFacts, words: StateInWords) -> Json:
        arrival = facts.arrival
        assert arrival is not None
        return {
            **words.json(),
            "circuit": _circuit_json(facts),
            "arrived": {
                "arrived": arrival.arrived,
                "of": arrival.of,
                "missing": [
                    {"instance": each.instance, "why": each.why, "last_heard_at": _moment(each.heard_ms)}
                    for each in arrival.missing[:MAX_MISSING_SHOWN]
                ],
                "changed_at": _moment(arrival.changed_ms or 0),
            },
            "published": arrival.published,
        }


def _circuit_json(facts: FlagFacts) -> Json | None:
    settings, circuit = facts.ruleset.circuit, facts.circuit or Circuit()
    effective = effective_circuit(facts.ruleset, facts.circuit)
    if settings is None or effective is None:
        return None
    is_its_own = effective.state is circuit.state
    return {
        "state": effective.state,
        "percentage": effective.percentage,
        "forced_open": settings.forced_open,
        "since": _moment(circuit.since_ms) if is_its_own and circuit.since_ms else None,
        "next": _moment(circuit.next_ms) if is_its_own and circuit.next_ms is not None else None,
        "trips": circuit.trips,
        "reason": _reason_json(circuit.reason, facts.ruleset),
        "last_opening": _opening_json(facts.last_opening, facts.ruleset),
        "as_of": None if facts.circuit_as_of_ms is None else _moment(facts.circuit_as_of_ms),
    }


def _reason_json(reason: TripReason | None, ruleset: Ruleset) -> Json | None:
    if reason is None:
        return None
    return {
        "rule": reason.rule,
        "observed": reason.observed,
        "threshold": reason.threshold,
        "calls": reason.calls,
        "window_ms": reason.window_ms,
        "sentence": f"{sentence_case(why_opened(reason, ruleset, past=True))}.",
    }


def _opening_json(opening: Opening | None, ruleset: Ruleset) -> Json | None:
    if opening is None:
        return None
    return {
        "at": _moment(opening.at_ms),
        "reason": _reason_json(opening.reason, ruleset),
        "closed_at": None if opening.closed_ms is None else _moment(opening.closed_ms),
    }


def _moment(at_ms: int) -> str:
    try:
        return timestamp(datetime.fromtimestamp(at_ms / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        # A time that no calendar has: another part wrote it, and it is shown as it is.
        return f"{at_ms} ms"
