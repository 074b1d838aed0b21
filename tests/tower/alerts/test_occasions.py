"""Which webhooks hear of what."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tailslide_tower.alerts.occasions import ACTIONS, Happening, Occasion, Scope

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)


def happening(action: str, **more: Any) -> Happening:
    return Happening(entry=1, at=NOW, action=action, **more)


@pytest.mark.parametrize(
    ("action", "before", "occasions"),
    [
        ("circuit.opened", "closed", {"opened"}),
        ("circuit.reopened", "recovering", {"reopened"}),
        ("circuit.recovering", "open", {"recovering"}),
        ("circuit.recovering", "recovering", set()),
        ("circuit.closed", "recovering", {"closed"}),
        ("circuit.reset", "open", {"reset", "closed"}),
        ("circuit.reset", "recovering", {"reset", "closed"}),
        ("circuit.reset", "closed", set()),
        ("circuit.reset", None, set()),
        ("flag.toggled", None, {"toggled"}),
        ("flag.changed", None, {"changed"}),
        ("flag.created", None, set()),
        ("webhook.changed", None, set()),
        ("notice.nothing_judged", None, {"nothing_judged"}),
        ("notice.judged_again", None, {"nothing_judged"}),
        ("notice.sidecar_lost", None, {"sidecar_lost"}),
        ("notice.sidecar_back", None, {"sidecar_lost"}),
    ],
)
def test_entry_is_told_on_its_occasions(action: str, before: str | None, occasions: set[str]) -> None:
    assert happening(action, before=None if before is None else {"state": before}).occasions == occasions


@pytest.mark.parametrize("action", ["flag.changed", "flag.rolled_back"])
def test_change_that_turns_a_flag_on_or_off_is_both(action: str) -> None:
    switched = happening(action, before={"active": True}, after={"active": False})
    assert switched.occasion is Occasion.TOGGLED
    assert switched.occasions == {"toggled", "changed"}
    assert happening(action, before={"active": True}, after={"active": True}).occasions == {"changed"}


def test_every_occasion_has_an_action() -> None:
    assert set(ACTIONS.values()) == set(Occasion)


SCOPES = (Scope(), Scope("a"), Scope("a", "f"), Scope("b"), Scope("a", "g"))


@pytest.mark.parametrize(
    ("app", "flag", "covered"),
    [
        ("a", "f", (True, True, True, False, False)),
        ("a", None, (True, True, True, False, True)),
        (None, None, (True, True, True, True, True)),
    ],
)
def test_scope_covers_what_concerns_it(app: str | None, flag: str | None, covered: tuple[bool, ...]) -> None:
    assert tuple(scope.covers(happening("flag.changed", app=app, flag=flag)) for scope in SCOPES) == covered
