"""Whether a Tower may write to the bucket: which database the bucket is claimed by, and what speaks against ours. Pure.

The bucket holds a claim, `_tower`, with the identity of the database that fills it. It is written by compare-and-set,
so of two Towers that find a bucket without one, one gets it. `docs/decisions/0018-which-database-fills-the-bucket.md`
has the cases.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tailslide_core.contracts import Claim, decode_claim
from tailslide_core.errors import ContractError
from tailslide_core.naming import CLAIM_KEY, segment_of
from tailslide_runtime.bucket_watch import Entry

REMEDY = (
    "correct TAILSLIDE_DATABASE_URL or TAILSLIDE_NATS_URL of this Tower; or, if its database is to fill the bucket "
    "from now on, run `tailslide tower adopt` with its settings, which first says what would change"
)
NAMED = 5
"""So many keys are named in a message; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a database says of itself: who it is, and how often it has been compared with a bucket."""

    database: str
    comparisons: int
    address: str = ""
    """Where it is, for people."""


class Cause(StrEnum):
    """Why a Tower may not publish."""

    ANOTHER_DATABASE = "another_database"
    OLDER_DATABASE = "older_database"
    UNKNOWN_FLAGS = "unknown_flags"
    NEWER_FLAGS = "newer_flags"


@dataclass(frozen=True, slots=True)
class Refusal:
    """That a Tower may not publish, and why, in one sentence."""

    cause: Cause
    problem: str


def claim_of(entry: Entry | None) -> Claim | None:
    """Return the claim of a bucket; one that is deleted or cannot be read is none."""
    if entry is None or entry.value is None:
        return None
    try:
        return decode_claim(entry.value)
    except ContractError:
        return None


def claim_in(entries: Mapping[str, Entry]) -> Claim | None:
    """Return the claim among all entries of a bucket."""
    return claim_of(entries.get(CLAIM_KEY))


def against(claim: Claim, identity: Identity) -> Refusal | None:
    """Return what a claim says against this database. The identity has to be read after the claim.

    A Tower records a number of comparisons only after the database has counted one more, so the database that fills
    the bucket is never behind, not even after a failover that has cost it the last half minute.
    """
    where = f" at {claim.address}" if claim.address else ""
    if claim.database != identity.database:
        return Refusal(
            Cause.ANOTHER_DATABASE,
            f"the bucket is filled by another database: {claim.database[:40]}{where}; "
            f"this one is {identity.database} at {identity.address}",
        )
    if identity.comparisons < claim.comparisons:
        return Refusal(
            Cause.OLDER_DATABASE,
            f"this database, at {identity.address}, is an older copy of the one that fills the bucket{where}: "
            f"{identity.comparisons} comparisons are counted here, {claim.comparisons} there",
        )
    return None


def against_unclaimed(unknown: Collection[str], newer: Collection[str]) -> Refusal | None:
    """Return why a bucket that nobody has claimed must not be filled: values that this database cannot have written."""
    if unknown:
        return Refusal(
            Cause.UNKNOWN_FLAGS,
            "the bucket does not say which database fills it, and this one does not know "
            f"{counted_keys(unknown)} in it: {some(unknown)}",
        )
    if newer:
        return Refusal(
            Cause.NEWER_FLAGS,
            "the bucket does not say which database fills it, and has other or newer versions than this one of "
            f"{counted_keys(newer)}: {some(newer)}",
        )
    return None


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 flag`, `2 flags`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def counted_keys(keys: Collection[str]) -> str:
    """Return how many flags and segments there are among some keys: `2 flags`, `1 segment`, `2 flags and 1 segment`."""
    segments = sum(segment_of(key) is not None for key in keys)
    flags = counted(len(keys) - segments, "flag")
    if not segments:
        return flags
    return counted(segments, "segment") if segments == len(keys) else f"{flags} and {counted(segments, 'segment')}"


def some(keys: Collection[str], limit: int = NAMED) -> str:
    """Return the first of some keys, and how many more there are."""
    named = ", ".join(sorted(keys)[:limit])
    return f"{named} and {len(keys) - limit} more" if len(keys) > limit else named
