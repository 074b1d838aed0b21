"""What people ask of lists: each filter alone, those that find much, little and nothing, and some together."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from tailslide_core.naming import FlagId
from tailslide_tower.audit import queries
from tailslide_tower.audit.queries import Filters, Scope
from tailslide_tower.flags.lists import AllFlagsQuery, FlagQuery, Listing

PAGE = 101
"""A page of the default size, and one more that tells whether there are more."""
EVERYTHING = Scope(None, None)
VIEWER = Scope(None, frozenset())
AEROBAT = "Aerobat"
FIRST = "app-0"
"""The app with the most flags."""


def _at(month: int, day: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def _apps(numbers: range) -> Scope:
    return Scope(frozenset(f"app-{number}" for number in numbers), frozenset())


_LOG: Mapping[str, tuple[Filters, Scope]] = {
    "all": (Filters(minor=False), EVERYTHING),
    "all, with steps": (Filters(), EVERYTHING),
    "as a viewer": (Filters(minor=False), VIEWER),
    "as a viewer of one small app": (Filters(minor=False), _apps(range(480, 481))),
    "as a viewer of 20 apps": (Filters(minor=False), _apps(range(100, 120))),
    "as a viewer of 100 apps": (Filters(minor=False), _apps(range(400, 500))),
    "a large app": (Filters(app=FIRST, minor=False), EVERYTHING),
    "a small app": (Filters(app="app-490", minor=False), EVERYTHING),
    "an app that is not there": (Filters(app="app-none", minor=False), EVERYTHING),
    "a flag": (Filters(app=FIRST, key="feature-1", kinds=("flag", "circuit"), minor=False), EVERYTHING),
    "a key in all apps": (Filters(key="feature-77", minor=False), EVERYTHING),
    "a frequent action": (Filters(actions=("flag.changed",), minor=False), EVERYTHING),
    "a rare action": (Filters(actions=("user.created",), minor=False), EVERYTHING),
    "three actions": (Filters(actions=("circuit.opened", "circuit.closed", "token.created"), minor=False), EVERYTHING),
    "a frequent kind": (Filters(kinds=("circuit",), minor=False), EVERYTHING),
    "a rare kind": (Filters(kinds=("webhook",), minor=False), EVERYTHING),
    "a busy actor": (Filters(actor="person-0@example.org", minor=False), EVERYTHING),
    "a quiet actor": (Filters(actor="person-199@example.org", minor=False), EVERYTHING),
    "an actor who is not there": (Filters(actor="nobody@example.org", minor=False), EVERYTHING),
    "since yesterday": (Filters(since=_at(11, 27), minor=False), EVERYTHING),
    "a day long ago": (Filters(since=_at(12, 1, 2025), until=_at(12, 2, 2025), minor=False), EVERYTHING),
    "until long ago": (Filters(until=_at(12, 1, 2025), minor=False), EVERYTHING),
    "a time of which there is nothing": (Filters(until=_at(1, 1, 2020), minor=False), EVERYTHING),
    "a word that is everywhere": (Filters(text="example", minor=False), EVERYTHING),
    "a word that is nowhere": (Filters(text="xyzzy", minor=False), EVERYTHING),
    "a key in parts": (Filters(text="feature-123", minor=False), EVERYTHING),
    "two words of a reason": (Filters(text="pay inci", minor=False), EVERYTHING),
    "one ticket": (Filters(text="SHOP-4242", minor=False), EVERYTHING),
    "an app and a rare action": (Filters(app=FIRST, actions=("webhook.changed",), minor=False), EVERYTHING),
    "an actor in an app": (Filters(app=FIRST, actor="person-150@example.org", minor=False), EVERYTHING),
    "a busy actor and an action that never meet": (
        Filters(actor=AEROBAT, actions=("flag.changed",), minor=False),
        EVERYTHING,
    ),
    "a word and a time that never meet": (Filters(text="example", until=_at(1, 1, 2020), minor=False), EVERYTHING),
    "everything at once": (
        Filters(
            ("flag.changed",), ("flag",), "person-3@example.org", FIRST, "", _at(1, 1), _at(11, 1), "feature", False
        ),
        EVERYTHING,
    ),
}


def questions(entries: int) -> dict[str, sa.Select[Any]]:
    """Return the statements of all lists, by what is asked for."""
    found: dict[str, sa.Select[Any]] = {}
    for name, (filters, scope) in _LOG.items():
        found[f"log: {name}"] = queries.page(filters, scope, None, PAGE)
    found["log: all, behind the middle"] = queries.page(Filters(minor=False), EVERYTHING, entries // 2, PAGE)
    found["log: an app, behind the middle"] = queries.page(Filters(app=FIRST), EVERYTHING, entries // 2, PAGE)
    found["flags: of the largest app"] = Listing(FlagQuery(), [FIRST], None).statement()
    found["flags: of all apps"] = Listing(AllFlagsQuery(), None, None).statement()
    found["flags: of all apps, behind the middle"] = Listing(AllFlagsQuery(), None, FlagId("app-30", "x")).statement()
    for name, query in {
        "a word": AllFlagsQuery(q="feature-123"),
        "a word that is nowhere": AllFlagsQuery(q="xyzzy"),
        "a tag": AllFlagsQuery(tag="area-7"),
        "an owner": AllFlagsQuery(owner="team-7"),
        "those that are off": AllFlagsQuery(active=False),
        "those that are archived": AllFlagsQuery(archived="true"),
    }.items():
        found[f"flags: {name}"] = Listing(query, None, None).statement()
    return found
