"""A database of rulesets and segments that is a dictionary: what the publisher reads in the place of PostgreSQL."""

import copy
from collections.abc import AsyncIterator, Collection

import orjson

from tailslide_core.naming import segment_of
from tailslide_tower.database import DatabaseUnavailableError
from tailslide_tower.publisher.claims import Identity
from tailslide_tower.publisher.wanted import Apps, Wanted


class MemoryRulesets:
    """Flags and segments by their keys in the bucket.

    `database` is its identity, and stays the same in a copy, as in PostgreSQL.
    """

    def __init__(self, values: dict[str, bytes], database: str = "ours") -> None:
        self.database = database
        self.comparisons = 0
        self.values = values
        self.deleted: dict[str, int] = {}
        self.invalid: frozenset[str] = frozenset()
        self.gone_apps: frozenset[str] = frozenset()
        self.uses: dict[str, frozenset[str]] = {}
        self.is_away = False
        self.now_ms = 1_000

    def set(self, key: str, rollout: float) -> None:
        """Make or change a flag, as Tower does: its version goes on, also where it was deleted."""
        version = version_of(self.values[key]) if key in self.values else self.deleted.get(key, 0)
        self.values[key] = ruleset(version + 1, f"{self.database}-{self.now_ms}-{rollout}")
        self.now_ms += 1

    def delete(self, key: str) -> None:
        """Delete a flag and remember it."""
        self.deleted[key] = version_of(self.values.pop(key))

    def copy(self) -> "MemoryRulesets":
        """Return what a backup is: the same at this moment, and with the same identity."""
        return copy.deepcopy(self)

    def _check(self) -> None:
        if self.is_away:
            raise DatabaseUnavailableError("Connection refused")

    async def identity(self) -> Identity:
        self._check()
        return Identity(self.database, self.comparisons, "memory")

    async def compared(self) -> Identity:
        self._check()
        self.comparisons += 1
        return Identity(self.database, self.comparisons, "memory")

    async def apps(self) -> Apps:
        self._check()
        self.now_ms += 1
        keys = self.values.keys() | self.invalid | self.deleted.keys()
        return Apps(self.now_ms, self.gone_apps | {key.partition(".")[0] for key in keys})

    async def all(self) -> AsyncIterator[Wanted]:
        for key in sorted(self.values.keys() | self.invalid, key=lambda key: (segment_of(key) is None, key)):
            yield await self.of([key])

    async def of(self, keys: Collection[str]) -> Wanted:
        self._check()
        values = {key: self.values[key] for key in keys if key in self.values and key not in self.invalid}
        deleted = {key: self.deleted[key] for key in keys if key in self.deleted}
        uses = {key: self.uses[key] for key in values if key in self.uses}
        return Wanted(values, self.invalid & set(keys), deleted, uses)


def ruleset(version: int, moment: str = "") -> bytes:
    """Return as much of a ruleset as the publisher looks at."""
    return orjson.dumps({"schema": 1, "version": version, "updated_at": moment})


def version_of(value: bytes) -> int:
    """Return the version in it; 0 for anything but a ruleset."""
    fields = orjson.loads(value)
    return int(fields["version"]) if isinstance(fields, dict) else 0
