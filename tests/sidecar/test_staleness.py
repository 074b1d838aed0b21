"""When answers say that they may be out of date."""

from tailslide_sidecar.flag_store import Origin
from tailslide_sidecar.readiness import Readiness
from tailslide_sidecar.staleness import Staleness

AFTER_MS = 30_000


class Desk:
    def __init__(self) -> None:
        self.readiness: Readiness | None = None
        self.turns = 0
        self.staleness = Staleness(lambda: self.readiness, AFTER_MS, self.turned)

    def turned(self) -> None:
        self.turns += 1

    def at_age(self, age_ms: int) -> bool:
        self.readiness = Readiness(Origin.JETSTREAM, age_ms, age_ms == 0)
        self.staleness.look()
        return self.staleness.stale


def test_what_is_older_than_allowed_is_stale_until_there_is_contact_again() -> None:
    desk = Desk()
    assert [desk.at_age(age_ms) for age_ms in (0, AFTER_MS, AFTER_MS + 1, AFTER_MS * 9, 0)] == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_each_turn_is_told_once() -> None:
    desk = Desk()
    for age_ms in (0, 0, AFTER_MS + 1, AFTER_MS + 2, 0, 0):
        desk.at_age(age_ms)
    assert desk.turns == 2


def test_while_nothing_is_known_nothing_is_stale() -> None:
    desk = Desk()
    desk.staleness.look()
    assert (desk.staleness.stale, desk.turns) == (False, 0)
