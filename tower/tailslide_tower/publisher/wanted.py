"""What the publisher asks of the database: rulesets and segments as bytes, deletions, and its identity."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId, segment_of
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.publisher.claims import Identity


@dataclass(frozen=True, slots=True)
class Wanted:
    """Values by key. What is in the bucket for `invalid` keys is to be left as it is, until a person has seen to it.

    `deleted` has the last versions of flags and segments that were deleted, of those that were asked for by name.
    `uses` has the keys of the segments that flags ask for, of flags that ask for any.
    """

    values: Mapping[str, bytes]
    invalid: frozenset[str] = field(default_factory=frozenset)
    deleted: Mapping[str, int] = field(default_factory=dict)
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def together_with(self, other: "Wanted") -> "Wanted":
        """Return what both say, of different keys."""
        return Wanted(
            {**self.values, **other.values},
            self.invalid | other.invalid,
            {**self.deleted, **other.deleted},
            {**self.uses, **other.uses},
        )


@dataclass(frozen=True, slots=True)
class Apps:
    """All apps at `at_ms`, Unix milliseconds by the database's clock, which is one for all Towers.

    Deleted apps that have had flags are among them: sidecars may still have those.
    """

    at_ms: int
    keys: frozenset[str]


class Rulesets(Protocol):
    """Where the publisher reads rulesets and segments. Raises `DatabaseUnavailableError`."""

    async def identity(self) -> Identity:
        """Return who this database is."""

    async def compared(self) -> Identity:
        """Count one more comparison with a bucket, and return who this database is then."""

    async def apps(self) -> Apps:
        """Return all apps."""

    def all(self) -> AsyncIterator[Wanted]:
        """Yield all segments and then all rulesets, a part at a time."""

    async def of(self, keys: Collection[str]) -> Wanted:
        """Return those that exist; a key that is neither a flag's nor a segment's is left out."""


KEYS_AT_ONCE = 500


async def parts(rulesets: Rulesets, entries: Mapping[str, Entry]) -> AsyncIterator[tuple[Collection[str], Wanted]]:
    """Yield the keys of all segments and flags in the database and the bucket, with what the bucket should hold.

    Segments in the database come first, and segments that only the bucket has come last.
    """
    left_over = {key for key, entry in entries.items() if entry.value is not None and is_published(key)}
    async for wanted in rulesets.all():
        keys = wanted.values.keys() | wanted.invalid
        left_over -= keys
        yield keys, wanted
    rest = iter(sorted(left_over, key=lambda key: (segment_of(key) is not None, key)))
    while part := list(islice(rest, KEYS_AT_ONCE)):
        yield part, await rulesets.of(part)


def is_published(key: str) -> bool:
    """Whether a key of the bucket is a flag's or a segment's; any other is not Tower's to write or to delete."""
    if segment_of(key) is not None:
        return True
    try:
        FlagId.parse(key)
    except ContractError:
        return False
    return True
