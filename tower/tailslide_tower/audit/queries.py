"""How entries of the log are found: what can be asked for, who may see what, and the statements for it.

Ids are found first, by indexes alone as far as possible; only the entries of the page are read then. With these
indexes each filter takes some milliseconds among a hundred thousand entries (`benchmarks/tower_lists.py`).
"""

import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.audit.entry import SubjectKind
from tailslide_tower.audit.store import log_entries
from tailslide_tower.auth.principal import Principal, Role

MOST_APPS = 50
"""Of so many apps the newest entries are looked up one app after another. Who sees more sees most entries."""
PAGE_BYTES = 2 << 20
"""A page ends before its entries' states are larger, as they are stored: there are flags of half a megabyte."""

ABOUT_PEOPLE = frozenset(
    {SubjectKind.USER, SubjectKind.INVITATION, SubjectKind.LINK, SubjectKind.TOKEN, SubjectKind.SESSION}
)
"""What only admins see; and so is a kind that only a newer Tower knows, which may be about people as well."""
_SEEN_BY_ALL: frozenset[str] = frozenset(SubjectKind) - ABOUT_PEOPLE

_MARKS = str.maketrans(string.punctuation, " " * len(string.punctuation))
_searched = sa.table("log", sa.column("id", sa.BigInteger), sa.column("words", TSVECTOR)).alias("searched")
"""The log once more: words are in no index that has times."""
_CUSTOM_PLANS = sa.text("SET LOCAL plan_cache_mode = force_custom_plan")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries are asked for; what is empty or None does not matter. All have to hold."""

    actions: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    actor: str = ""
    """The name of whoever has done it."""
    app: str | None = None
    key: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""
    text: str = ""
    """Each of its words is the beginning of a word of key, actor or reason; in any case."""
    minor: bool = True
    """Whether what is minor is asked for, too."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody may see of the log."""

    apps: frozenset[str] | None
    """The apps whose entries may be seen; None stands for all."""
    admin_of: frozenset[str] | None
    """The apps of which entries about people may be seen; None stands for all, and for what belongs to no app."""

    @classmethod
    def of(cls, principal: Principal) -> "Scope":
        """Return what somebody may see."""
        return cls(principal.apps_with(Role.VIEWER), principal.apps_with(Role.ADMIN))

    def sees(self, kind: str, app: str | None) -> bool:
        """Whether an entry of this kind may be seen: what `conditions` says to the database."""
        is_admin = self.admin_of is None or app in self.admin_of
        if app is None:
            return is_admin or (self.apps is None and kind == SubjectKind.SYSTEM)
        return (self.apps is None or app in self.apps) and (is_admin or kind in _SEEN_BY_ALL)

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return what holds for entries that may be seen."""
        log, found = log_entries.c, []
        if self.apps is not None:
            found.append(log.app == sa.any_(sa.literal(sorted(self.apps), sa.ARRAY(sa.Text(collation="C")))))
        if self.admin_of is not None:
            if self.apps is None:
                found.append(sa.or_(log.app.is_not(None), log.kind == SubjectKind.SYSTEM))
            others = log.kind.in_(sorted(_SEEN_BY_ALL))
            found.append(sa.or_(others, log.app.in_(sorted(self.admin_of))) if self.admin_of else others)
        return found


def conditions_of(filters: Filters) -> list[sa.ColumnElement[bool]]:
    """Return what holds for entries that are asked for."""
    log, found = log_entries.c, []
    if filters.app is not None:
        found.append(log.app == filters.app)
    if filters.key:
        found.append(log.key == filters.key)
    if filters.actions:
        found.append(_one_of(log.action, filters.actions))
    if filters.kinds:
        found.append(_one_of(log.kind, filters.kinds))
    if filters.actor:
        found.append(log.actor == filters.actor)
    if filters.since is not None:
        found.append(log.at >= filters.since)
    if filters.until is not None:
        found.append(log.at < filters.until)
    if query := prefixes_of(filters.text):
        holds = _searched.c.words.op("@@", is_comparison=True)(sa.func.to_tsquery("simple", query))
        found.append(sa.exists().where(_searched.c.id == log.id, holds))
    if not filters.minor:
        found.append(sa.not_(log.minor))
    return found


def _one_of(column: sa.ColumnElement[str], values: Sequence[str]) -> sa.ColumnElement[bool]:
    return column == values[0] if len(values) == 1 else column.in_(values)


def prefixes_of(text: str) -> str:
    """Return a query (tsquery) for entries in which each word of a text is the beginning of one; empty without words.

    Words are parted by the same marks as in the column `words`.
    """
    return " & ".join(f"'{word}':*" for word in text.translate(_MARKS).split())


def ids(filters: Filters, scope: Scope, before: int | None, limit: int) -> sa.Select[tuple[int]]:
    """Return the statement for the newest ids that are asked for and may be seen, those below `before`."""
    conditions = conditions_of(filters)
    if before is not None:
        conditions.append(log_entries.c.id < before)
    apps = scope.apps
    if apps is None or filters.app is not None or len(apps) > MOST_APPS:
        return _newest([*conditions, *scope.conditions()], limit)
    return _newest_of_each(apps, conditions, Scope(None, scope.admin_of), limit)


def _newest(conditions: Collection[sa.ColumnElement[bool]], limit: int) -> sa.Select[tuple[int]]:
    return sa.select(log_entries.c.id).where(*conditions).order_by(log_entries.c.id.desc()).limit(limit)


def _newest_of_each(
    apps: frozenset[str], conditions: Collection[sa.ColumnElement[bool]], scope: Scope, limit: int
) -> sa.Select[tuple[int]]:
    """Return the statement for the newest ids of a few apps; by the index of apps, whatever the others have."""
    keys = sa.literal(sorted(apps), sa.ARRAY(sa.Text(collation="C")))
    named = sa.func.unnest(keys).table_valued("app", name="named").render_derived()
    one = _newest([log_entries.c.app == named.c.app, *conditions, *scope.conditions()], limit).lateral("one")
    return sa.select(one.c.id).select_from(named.join(one, sa.true())).order_by(one.c.id.desc()).limit(limit)


async def plan_each(connection: AsyncConnection) -> None:
    """Have each statement of the transaction planned for its own values, after which it matters what was asked for.

    Else, from the sixth time on, PostgreSQL takes one plan for all values, which may take a hundred times as long.
    """
    await connection.execute(_CUSTOM_PLANS)


def page(filters: Filters, scope: Scope, before: int | None, limit: int) -> sa.Select[Any]:
    """Return the statement for a page of whole entries, newest first, with `found`: how many ids there were.

    It has fewer rows than `found` where their states would be too large for one page.
    """
    chosen = ids(filters, scope, before, limit).subquery("chosen")
    size = sum(
        (sa.func.coalesce(sa.func.pg_column_size(column), 0) for column in (log_entries.c.before, log_entries.c.after)),
        start=sa.literal(0),
    )
    up_to_here = sa.func.sum(size).over(order_by=log_entries.c.id.desc())
    rows = (
        sa.select(log_entries, (up_to_here - size).label("before_here"), sa.func.count().over().label("found"))
        .join(chosen, chosen.c.id == log_entries.c.id)
        .subquery("rows")
    )
    return sa.select(rows).where(rows.c.before_here < PAGE_BYTES).order_by(rows.c.id.desc())
