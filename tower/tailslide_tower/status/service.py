"""What needs attention: put together of what this Tower has heard, and of what the database knows of it.

Fails open but for the database: what cannot be known now is said among the troubles.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tailslide_core.contracts import Json
from tailslide_core.naming import FlagId
from tailslide_core.sentences.flag_state import FlagState
from tailslide_core.sentences.numbers import counted
from tailslide_core.sentences.overview import overview_in_words
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.store import AppStore
from tailslide_tower.database import Database
from tailslide_tower.flag_states.openings import last_trip
from tailslide_tower.flag_states.service import ShownFlag
from tailslide_tower.status.flags_held import flags_to_look_at
from tailslide_tower.status.models import NotPublishing

_ORDER = {FlagState.OPEN: 0, FlagState.RECOVERING: 1, FlagState.HELD_OFF: 2}


class States(Protocol):
    """Who says the states of flags."""

    def now_ms(self) -> int:
        """Return the time, Unix milliseconds."""

    async def describe_with_counts(self, flags: Sequence[ShownFlag]) -> list[Json]:
        """Return the states of flags, in their order."""


@dataclass(frozen=True, slots=True)
class Doings:
    """What this Tower knows of the parts around it; each is asked anew."""

    circuits_not_closed: Callable[[], Collection[FlagId]]
    nats_connected: Callable[[], bool]
    not_publishing: Callable[[], NotPublishing | None]
    """Why nothing is published, where a person has to decide."""
    judging_silent_s: Callable[[], float]
    """For how long no Aerobat was seen."""
    lost_sidecars: Callable[[Collection[str] | None], int]


JUDGED_WITHIN_S = 30.0


class StatusService:
    """Says what needs attention."""

    def __init__(self, database: Database, states: States, doings: Doings) -> None:
        self._database = database
        self._states = states
        self._doings = doings

    async def status(self, apps: Collection[str] | None, named: str | None = None) -> Json:
        """Return what needs attention in these apps; None stands for all.

        `named` is the app that was asked for by its key, if any. It is 404 where there is none: a misspelt key must not
        look like an app without problems.
        """
        async with self._database.begin() as connection:
            if named is not None and await AppStore(connection).get(named) is None:
                raise app_not_found(named)
            candidates = await flags_to_look_at(connection, self._doings.circuits_not_closed(), apps)
            last = await last_trip(connection, apps)
        states = await self._states.describe_with_counts(candidates)
        told: list[dict[str, Any]] = []
        for flag, state in zip(candidates, states, strict=True):
            if state["settled"] in _ORDER:
                app, key = flag.flag_id
                told.append({"app": app, "key": key, "name": flag.about.name, "state": state})
        told.sort(key=lambda each: _ORDER[FlagState(each["state"]["settled"])])
        numbers = {state: sum(each["state"]["settled"] == state for each in told) for state in _ORDER}
        words = overview_in_words(
            is_open=numbers[FlagState.OPEN],
            recovering=numbers[FlagState.RECOVERING],
            held_off=numbers[FlagState.HELD_OFF],
            last=last,
        )
        refused = self._doings.not_publishing()
        return {
            "sentence": words.text(self._states.now_ms()),
            "flags": told,
            "troubles": self._troubles(apps),
            "not_publishing": None if refused is None else refused.model_dump(),
        }

    def _troubles(self, apps: Collection[str] | None) -> list[str]:
        doings, troubles = self._doings, list[str]()
        if not doings.nats_connected():
            troubles.append(
                "NATS cannot be reached: changes wait to be published, and what is shown may be out of date."
            )
        elif (refused := doings.not_publishing()) is not None:
            troubles.append(f"Nothing is published: {refused.problem}.")
        if doings.nats_connected() and doings.judging_silent_s() > JUDGED_WITHIN_S:
            troubles.append(
                "No Aerobat is judging circuits: none opens or recovers. Check that one runs and can reach Redis."
            )
        lost = doings.lost_sidecars(apps)
        if lost:
            have = "has" if lost == 1 else "have"
            troubles.append(f"{counted(lost, 'sidecar')} {have} not been heard from and did not stop cleanly.")
        return troubles
