"""What the bucket should hold: the rulesets in the database, as bytes."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy import RowMapping

from tailslide_core.contracts import encode_ruleset
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId
from tailslide_tower.apps.store import apps
from tailslide_tower.database import Database
from tailslide_tower.flags.store import FlagStore, InvalidFlagError, deleted_flags, read_flag

log = structlog.get_logger()

PAGE_ROWS = 100
"""Rows that are made into rulesets in one go: short enough not to keep requests waiting."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Values by key. What is in the bucket for `invalid` keys is to be left as it is, until a person has seen to it."""

    values: Mapping[str, bytes]
    invalid: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Apps:
    """All apps at `at_ms`, Unix milliseconds by the database's clock, which is one for all Towers.

    Deleted apps that have had flags are among them: sidecars may still have those.
    """

    at_ms: int
    keys: frozenset[str]


class Rulesets(Protocol):
    """Where the publisher reads the rulesets. Raises `DatabaseUnavailableError`."""

    async def apps(self) -> Apps:
        """Return all apps."""

    def all(self) -> AsyncIterator[Wanted]:
        """Yield all rulesets, a part at a time."""

    async def of(self, keys: Collection[str]) -> Wanted:
        """Return those of the rulesets that are there; a key that is no flag's is not."""


class DatabaseRulesets:
    """The rulesets in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._complained: set[str] = set()

    async def apps(self) -> Apps:
        """Return all apps."""
        time = sa.select(sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1000, sa.BigInteger))
        keys = sa.union(sa.select(apps.c.key), sa.select(deleted_flags.c.app))
        async with self._database.begin() as connection:
            at_ms = int((await connection.execute(time)).scalar_one())
            return Apps(at_ms, frozenset((await connection.execute(keys)).scalars()))

    async def all(self) -> AsyncIterator[Wanted]:
        """Yield all rulesets, a part at a time, each part as it is when it is read."""
        after: FlagId | None = None
        while True:
            async with self._database.begin() as connection:
                rows = await FlagStore(connection).rows_after(after, PAGE_ROWS)
            yield self._wanted(rows)
            if len(rows) < PAGE_ROWS:
                return
            after = FlagId(rows[-1]["app"], rows[-1]["key"])

    async def of(self, keys: Collection[str]) -> Wanted:
        """Return those of the rulesets that are there; a key that is no flag's is not."""
        flag_ids = []
        for key in keys:
            try:
                flag_ids.append(FlagId.parse(key))
            except ContractError:
                log.debug("not the key of a flag", key=key)
        async with self._database.begin() as connection:
            rows = await FlagStore(connection).rows_of(flag_ids)
        return self._wanted(rows)

    def _wanted(self, rows: Iterable[RowMapping]) -> Wanted:
        values: dict[str, bytes] = {}
        invalid: set[str] = set()
        for row in rows:
            key = str(FlagId(row["app"], row["key"]))
            try:
                values[key] = encode_ruleset(read_flag(row).ruleset)
            except InvalidFlagError as error:
                invalid.add(key)
                if key not in self._complained:
                    self._complained.add(key)
                    log.error("ruleset not published", flag=key, error=str(error))  # noqa: TRY400 # no defect of ours
        return Wanted(values, frozenset(invalid))
