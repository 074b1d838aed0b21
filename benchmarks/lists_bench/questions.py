"""What people ask of lists: each filter alone, those that find much, little and nothing, and some together."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence, Sized
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from lists_bench.filling import Extent
from tailslide_core.naming import FlagId
from tailslide_tower.alerts.delivery import DeliveryState
from tailslide_tower.alerts.delivery_store import DeliveryStore
from tailslide_tower.alerts.webhook_store import WebhookStore, webhooks
from tailslide_tower.apps.models import AppQuery
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit import queries
from tailslide_tower.audit.queries import Filters, Scope
from tailslide_tower.flag_states.deeds import last_archived, last_forced_open, last_turned_off
from tailslide_tower.flag_states.openings import last_openings, last_trip
from tailslide_tower.flags.lists import AllFlagsQuery, FlagQuery, Listing, listed
from tailslide_tower.flags.store import flags
from tailslide_tower.requests import Page
from tailslide_tower.status.flags_held import flags_to_look_at
from tailslide_tower.tokens.store import TokenStore
from tailslide_tower.users.store import UserStore

PAGE = 101
"""A page of the default size, and one more that tells whether there are more."""
EVERYTHING = Scope(None, None)
VIEWER = Scope(None, frozenset())
AEROBAT = "Aerobat"
FIRST = "app-0"
"""The app with the most flags."""
LOUDEST = "hook-1"
"""The webhook with half of the deliveries."""
OF_THE_LOG = "log: "


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
    "an unknown actor": (Filters(actor="nobody@example.org", minor=False), EVERYTHING),
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


Question = Callable[[AsyncConnection], Awaitable[Sized]]
"""Asks over a connection, as Tower does."""

_VERSIONS = Filters(kinds=("flag",), app=FIRST, key="feature-1")
_FEW_APPS = [f"app-{number}" for number in range(300, 500)]
"""Of one who may view two hundred single apps."""


def _rows(statement: sa.Select[Any]) -> Question:
    async def ask(connection: AsyncConnection) -> Sized:
        rows: Sequence[sa.Row[Any]] = (await connection.execute(statement)).all()
        return rows

    return ask


def questions(extent: Extent) -> dict[str, Question]:
    """Return how all lists are asked for, by what is asked."""
    return {**_log(extent), **_flags(), **_states(), **_apps_and_people(extent), **_alerts(), **_status()}


def _log(extent: Extent) -> dict[str, Question]:
    found = {
        f"{OF_THE_LOG}{name}": _rows(queries.page(filters, scope, None, PAGE))
        for name, (filters, scope) in _LOG.items()
    }
    middle = extent.entries // 2
    for name, filters in (("all", Filters(minor=False)), ("an app", Filters(app=FIRST))):
        found[f"{OF_THE_LOG}{name}, behind the middle"] = _rows(queries.page(filters, EVERYTHING, middle, PAGE))
    return found


def _flags() -> dict[str, Question]:
    listings = {
        "of the largest app": Listing(FlagQuery(), [FIRST], None),
        "of the largest app, 500 a page": Listing(FlagQuery(limit=500), [FIRST], None),
        "of all apps": Listing(AllFlagsQuery(), None, None),
        "of all apps, 500 a page": Listing(AllFlagsQuery(limit=500), None, None),
        "of all apps, behind the middle": Listing(AllFlagsQuery(), None, FlagId("app-30", "x")),
        "of 200 apps": Listing(AllFlagsQuery(), _FEW_APPS, None),
        "of 200 apps, 500 a page": Listing(AllFlagsQuery(limit=500), _FEW_APPS, None),
        "of 200 apps, behind the middle": Listing(AllFlagsQuery(), _FEW_APPS, FlagId("app-400", "x")),
        "of 200 apps, a word that is nowhere": Listing(AllFlagsQuery(q="xyzzy"), _FEW_APPS, None),
    }
    for name, query in {
        "a word": AllFlagsQuery(q="feature-123"),
        "a word that is nowhere": AllFlagsQuery(q="xyzzy"),
        "a tag": AllFlagsQuery(tag="area-7"),
        "two tags that never meet": AllFlagsQuery(tag="area-7,area-8"),
        "an owner": AllFlagsQuery(owner="team-7"),
        "an unknown owner": AllFlagsQuery(owner="nobody"),
        "those that are off": AllFlagsQuery(active=False),
        "those that are archived": AllFlagsQuery(archived="true"),
        "all at once": AllFlagsQuery(q="feature", tag="area-7", owner="team-7", active=True, archived="all"),
    }.items():
        listings[name] = Listing(query, None, None)

    def ask(listing: Listing) -> Question:
        return lambda connection: listed(connection, listing)

    return {f"flags: {name}": ask(listing) for name, listing in listings.items()}


def _states() -> dict[str, Question]:
    """Return what is asked of the log for the states of the flags of a page; each flag as one of each kind."""

    def named(count: int) -> sa.Select[tuple[str, str]]:
        return sa.select(flags.c.app, flags.c.key).order_by(flags.c.app, flags.c.key).limit(count)

    def ask(read: Callable[[AsyncConnection, Collection[FlagId]], Awaitable[Sized]], count: int) -> Question:
        async def asking(connection: AsyncConnection) -> Sized:
            names = await connection.execute(named(count))
            return await read(connection, [FlagId(name.app, name.key) for name in names])

        return asking

    return {
        f"states: {name} of {count} flags": ask(read, count)
        for count in (100, 500)
        for name, read in {
            "last openings": last_openings,
            "who turned off": last_turned_off,
            "who forced open": last_forced_open,
            "who archived": last_archived,
        }.items()
    }


def _apps_and_people(extent: Extent) -> dict[str, Question]:
    return {
        "apps: all": lambda connection: AppStore(connection).page(Page(), AppQuery()),
        "apps: 500 a page": lambda connection: AppStore(connection).page(Page(500), AppQuery()),
        "apps: 200 apps": lambda connection: AppStore(connection).page(Page(), AppQuery(), _FEW_APPS),
        "apps: a word that is nowhere": lambda connection: AppStore(connection).page(Page(), AppQuery(q="xyzzy")),
        "users: all": lambda connection: UserStore(connection).page(100, ""),
        "users: 500 a page": lambda connection: UserStore(connection).page(500, ""),
        "tokens: all": lambda connection: TokenStore(connection).page(100, "", None),
        "tokens: 500 a page": lambda connection: TokenStore(connection).page(500, "", None),
        "tokens: of one user": lambda connection: TokenStore(connection).page(100, "", f"usr_{extent.people}"),
        "versions: of a flag": _rows(
            queries.page(Filters(kinds=("flag",), app=FIRST, key="feature-1"), EVERYTHING, None, PAGE)
        ),
    }


def _alerts() -> dict[str, Question]:
    def deliveries(before: int | None = None, *states: DeliveryState) -> Question:
        return lambda connection: DeliveryStore(connection).page(LOUDEST, before, PAGE, states)

    return {
        "webhooks: all": lambda connection: WebhookStore(connection).page("", PAGE),
        "webhooks: of an app": lambda connection: WebhookStore(connection).page("", PAGE, webhooks.c.app == FIRST),
        "webhooks: of 200 apps": lambda connection: WebhookStore(connection).page(
            "", PAGE, webhooks.c.app.in_(_FEW_APPS)
        ),
        "deliveries: all": deliveries(),
        "deliveries: behind the middle": deliveries(50_000),
        "deliveries: those that wait": deliveries(None, DeliveryState.PENDING),
        "deliveries: those given up, long ago": deliveries(None, DeliveryState.FAILED),
        "deliveries: those delivered": deliveries(None, DeliveryState.DELIVERED),
    }


def _status() -> dict[str, Question]:
    def attention(circuits: int, apps: Collection[str] | None) -> Question:
        some = [FlagId(f"app-{number % 500}", f"feature-{number}") for number in range(circuits)]
        return lambda connection: flags_to_look_at(connection, some, apps)

    def trips(apps: Collection[str] | None) -> Question:
        async def ask(connection: AsyncConnection) -> Sized:
            trip = await last_trip(connection, apps)
            return [] if trip is None else [trip]

        return ask

    return {
        "status: no circuit is open": attention(0, None),
        "status: 1,000 circuits are open": attention(1_000, None),
        "status: 1,000 circuits are open, of 200 apps": attention(1_000, _FEW_APPS),
        "status: last trip": trips(None),
        "status: last trip of 200 apps": trips(_FEW_APPS),
        "status: last trip of an app without one": trips(["app-none"]),
    }
