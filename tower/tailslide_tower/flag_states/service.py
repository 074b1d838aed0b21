"""A flag's state, put together of what Tower knows from elsewhere: the buckets, the sidecars, the log and the series.

All but the log and the series is in memory. Where one of these cannot be asked, the state is said without it.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from tailslide_core.breach import TripReason
from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import Json
from tailslide_core.effective_circuit import effective_circuit
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_core.sentences.facts import Arrival, FlagFacts, Opening
from tailslide_core.sentences.flag_state import StateInWords, state_in_words
from tailslide_core.sentences.numbers import sentence_case
from tailslide_core.sentences.openings import why_opened
from tailslide_tower.database import Database
from tailslide_tower.flag_states.arriving import Fleet, arrival_of, fleet_of, is_published
from tailslide_tower.flag_states.counting import Counts, judged_windows
from tailslide_tower.flag_states.logged import Logged, LoggedFlag, LoggedFlags, lets_in
from tailslide_tower.flag_states.news import News
from tailslide_tower.flag_states.openings import later
from tailslide_tower.sidecars.registry import SidecarRegistry
from tailslide_tower.times import timestamp

log = structlog.get_logger()

MAX_MISSING_SHOWN = 100


class ShownFlag(LoggedFlag, Protocol):
    """A flag as Tower keeps it."""

    @property
    def updated_at(self) -> datetime:
        """Return when it was last changed."""


CountCalls = Callable[[Mapping[FlagId, int | None]], Awaitable[Mapping[FlagId, Counts] | None]]
"""Returns the counts of flags, each with when its recovery step began (Unix milliseconds) if it recovers; None while
the series cannot be read."""


class FlagStates:
    """Says the states of flags."""

    def __init__(
        self,
        database: Database,
        news: News,
        sidecars: SidecarRegistry,
        *,
        why_left_alone: Callable[[FlagId], str | None],
        count_calls: CountCalls | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`why_left_alone` says why what the bucket holds of a flag is not this Tower's, where it is not.

        Without `count_calls` nothing is said of calls.
        """
        self._logged = LoggedFlags(database, news.circuits.get)
        self._news = news
        self._sidecars = sidecars
        self._why_left_alone = why_left_alone
        self._count_calls = count_calls
        self._now_s = now_s

    async def describe(self, flag: ShownFlag) -> Json:
        """Return the state of one flag as the API shows it, with how its calls go."""
        now_ms = self.now_ms()
        (facts,) = await self.facts_of([flag], now_ms, with_counts=True)
        return _json(facts, state_in_words(facts, now_ms))

    async def describe_with_counts(self, flags: Sequence[ShownFlag]) -> list[Json]:
        """Return the states of flags, in their order, with how their calls go: for the few that need attention."""
        now_ms = self.now_ms()
        facts = await self.facts_of(flags, now_ms, with_counts=True)
        return [_json(each, state_in_words(each, now_ms)) for each in facts]

    async def describe_all(self, flags: Sequence[ShownFlag]) -> list[Json]:
        """Return the states of flags, in their order.

        What has to be asked of the log is asked at once for all of them, and nothing is asked of the series.
        """
        now_ms = self.now_ms()
        return [_json(facts, state_in_words(facts, now_ms)) for facts in await self.facts_of(flags, now_ms)]

    def now_ms(self) -> int:
        """Return Tower's time, Unix milliseconds."""
        return round(self._now_s() * 1000)

    async def facts_of(self, flags: Sequence[ShownFlag], now_ms: int, *, with_counts: bool = False) -> list[FlagFacts]:
        """Return all that is known of flags, in their order; how their calls go only `with_counts`."""
        rulesets = [flag.ruleset for flag in flags]
        logged = await self._logged.of(flags)
        counts: Mapping[FlagId, Counts] | None = {}
        if with_counts and self._count_calls is not None:
            asked = (ruleset for ruleset in rulesets if lets_in(ruleset))
            counts = await self._count_calls({ruleset.flag_id: self._step_began(ruleset) for ruleset in asked})
        fleets = {app: self._fleet(app, now_ms) for app in {ruleset.app for ruleset in rulesets}}
        return [self._facts(flag, now_ms, logged, counts, fleets[flag.ruleset.app]) for flag in flags]

    def _facts(
        self,
        flag: ShownFlag,
        now_ms: int,
        logged: Logged,
        counts: Mapping[FlagId, Counts] | None,
        fleet: Fleet,
    ) -> FlagFacts:
        ruleset, news = flag.ruleset, self._news
        flag_id = ruleset.flag_id
        counted = None if counts is None else counts.get(flag_id)
        changed_ms = round(flag.updated_at.timestamp() * 1000)
        archived_ms = logged.archived_apps.get(ruleset.app)
        if flag.archived_at is not None:
            archived_ms = _ms(flag.archived_at)
        return FlagFacts(
            ruleset,
            circuit=news.circuits.get(flag_id),
            circuit_known=news.circuits_known,
            circuit_as_of_ms=news.circuits_as_of_ms(now_ms) if news.circuits_known else None,
            counts=None
            if counted is None
            else judged_windows(counted.windows, news.circuits.get(flag_id), changed_ms=changed_ms, now_ms=now_ms),
            counts_readable=counts is not None,
            step_counts=None if counted is None else counted.step,
            deed=logged.deeds.get(flag_id),
            last_opening=later(news.circuits.last_opening(flag_id), logged.openings.get(flag_id)),
            arrival=self._arrival(flag, fleet, archived=archived_ms is not None),
            archived_ms=archived_ms,
        )

    def _step_began(self, ruleset: Ruleset) -> int | None:
        circuit = self._news.circuits.get(ruleset.flag_id)
        effective = effective_circuit(ruleset, circuit)
        return (
            None
            if circuit is None or effective is None or effective.state is not State.RECOVERING
            else circuit.since_ms
        )

    def _fleet(self, app: str, now_ms: int) -> Fleet:
        registry = self._sidecars
        heard = ((each, now_ms - round(registry.silent_for_s(each) * 1000)) for each in registry.of(app))
        return fleet_of(heard, self._news.published.latest(app))

    def _arrival(self, flag: ShownFlag, fleet: Fleet, *, archived: bool) -> Arrival:
        flag_id = flag.ruleset.flag_id
        held = self._news.published.get(flag_id)
        is_there = is_published(flag.ruleset.version, held, known=self._news.published_known, archived=archived)
        problem = None if is_there or self._news.in_touch else "NATS cannot be reached"
        if (left_alone := self._why_left_alone(flag_id)) is not None:
            # The bucket may hold the same version, and another ruleset.
            is_there, problem = False, left_alone
        changed_ms = _ms(flag.updated_at)
        return arrival_of(flag_id, held, is_there, fleet, changed_ms=changed_ms, problem=problem)


def _json(facts: FlagFacts, words: StateInWords) -> Json:
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


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(at_ms: int) -> str:
    try:
        return timestamp(datetime.fromtimestamp(at_ms / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        # A time that no calendar has: another part wrote it, and it is shown as it is.
        return f"{at_ms} ms"
