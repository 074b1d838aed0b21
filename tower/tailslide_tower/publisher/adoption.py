"""Taking a bucket over: what it would change, in words, and the change itself.

All of it is done by the rules of everyday publishing: the database is given a new identity, raises the versions of its
flags and segments above those in the bucket and remembers those that it never had as deleted; then the bucket is
claimed by compare-and-set, and made equal. A copy of the database, and every other one, is another database from then
on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.contracts import Claim, encode_claim
from tailslide_core.naming import CLAIM_KEY, FlagId, segment_of
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.database import Database
from tailslide_tower.flags.store import deleted_flags, flags
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher.bucket import Bucket, RevisionConflictError
from tailslide_tower.publisher.claims import (
    Identity,
    Refusal,
    against,
    against_unclaimed,
    claim_in,
    claim_of,
    counted,
    counted_keys,
    some,
)
from tailslide_tower.publisher.differences import Differences, Stamp
from tailslide_tower.publisher.order import app_of
from tailslide_tower.publisher.service import NotOursError, Publisher
from tailslide_tower.publisher.store import DatabaseRulesets, renew_identity
from tailslide_tower.publisher.wanted import Rulesets, parts
from tailslide_tower.segments.store import deleted_segments, segments

NAMED = 20
"""So many flags of each kind are named; the rest is counted."""
TRIES = 10


class NotAdoptedError(Exception):
    """The bucket was not taken over; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change in the bucket, by keys of flags and segments."""

    identity: Identity
    claim: Claim | None
    refusal: Refusal | None
    """What keeps a Tower on this database from publishing; None where it publishes already, or could."""
    has_apps: bool
    added: tuple[str, ...]
    overwritten: tuple[str, ...]
    deleted: tuple[str, ...]
    emptied: tuple[str, ...]
    """Apps that would have no flags any more."""
    equal: frozenset[str]
    newer: Mapping[str, Stamp]
    """Those of them that are newer in the bucket."""
    unknown: Mapping[str, Stamp | None]
    """Those of them that the database does not know."""

    @property
    def is_settled(self) -> bool:
        """Whether the bucket is this database's, and nothing in it is left alone: Tower does the rest by itself."""
        return self.claim is not None and self.refusal is None and not self.newer and not self.unknown

    def changes_as(self, other: "Plan") -> bool:
        """Whether another plan would change the same flags, over the same claim."""
        mine, its = self.claim and self.claim.database, other.claim and other.claim.database
        return (mine, self.added, self.overwritten, self.deleted) == (
            its,
            other.added,
            other.overwritten,
            other.deleted,
        )

    def describe(self) -> list[str]:
        """Return what would change, for people, a sentence a line."""
        lines = [self._whose()]
        lines += _sentence("added", self.added)
        lines += _sentence("overwritten", self.overwritten)
        if newer := [key for key in self.overwritten if key in self.newer]:
            are = "is" if len(newer) == 1 else "are"
            lines.append(f"Of these, {len(newer)} {are} not older in the bucket: {some(newer, NAMED)}.")
        lines += _sentence("deleted", self.deleted)
        if self.emptied:
            lines.append(f"{counted(len(self.emptied), 'app')} would have no flags: {some(self.emptied, NAMED)}.")
        are = "it is" if len(self.equal) == 1 else "they are"
        lines.append(f"{counted_keys(self.equal)} would stay as {are}.")
        return lines

    def _whose(self) -> str:
        if self.refusal is not None:
            return f"{self.refusal.problem[:1].upper()}{self.refusal.problem[1:]}."
        if self.claim is None:
            return "The bucket does not say which database fills it, and this one knows all that is in it."
        return "The bucket is filled by this database."


def _sentence(done: str, keys: tuple[str, ...]) -> list[str]:
    return [f"{counted_keys(keys)} would be {done}: {some(keys, NAMED)}."] if keys else []


def _apps_of_flags(keys: Iterable[str]) -> set[str]:
    return {app_of(key) for key in keys if segment_of(key) is None}


async def plan_adoption(bucket: Bucket, rulesets: Rulesets) -> Plan:
    """Return what taking the bucket over would change; changes nothing."""
    await bucket.ensure()
    entries = await bucket.listing()
    identity, apps = await rulesets.identity(), await rulesets.apps()
    found, equal, kept = Differences(), set[str](), set[str]()
    async for keys, wanted in parts(rulesets, entries):
        found.take(keys, wanted, entries)
        kept |= _apps_of_flags(wanted.values.keys() | wanted.invalid)
        equal |= {key for key, value in wanted.values.items() if _is(entries.get(key), value)}
    values: dict[str, bytes | None] = dict(found.writes)
    values |= dict.fromkeys(found.unknown)
    current = await rulesets.of(list(found.newer))
    values |= {key: current.values.get(key) for key in found.newer}
    deleted = tuple(sorted(key for key, value in values.items() if value is None))
    there = {key for key in values if not _is(entries.get(key), None)}
    claim = claim_in(entries)
    return Plan(
        identity,
        claim,
        against(claim, identity) if claim is not None else against_unclaimed(found.unknown.keys(), found.newer.keys()),
        bool(apps.keys),
        tuple(sorted(key for key, value in values.items() if value is not None and key not in there)),
        tuple(sorted(key for key, value in values.items() if value is not None and key in there)),
        deleted,
        tuple(sorted(_apps_of_flags(deleted) - kept)),
        frozenset(equal),
        found.newer,
        found.unknown,
    )


def _is(entry: Entry | None, value: bytes | None) -> bool:
    return (None if entry is None else entry.value) == value


async def adopt(plan: Plan, bucket: Bucket, database: Database) -> None:
    """Carry a plan out; raises `NotAdoptedError` when something has come between, and `BucketError`."""
    rulesets = DatabaseRulesets(database)
    async with database.begin() as connection:
        for key, stamp in plan.newer.items():
            await _raise_above(connection, key, stamp)
        for key, unknown in plan.unknown.items():
            await _remember_deleted(connection, key, unknown or Stamp(0, ""))
        await renew_identity(connection)
    identity = await rulesets.identity()
    await _claim(plan, bucket, identity)
    for _ in range(TRIES):  # a Tower that publishes at the same time may come between
        publisher = Publisher(rulesets, TowerMetrics())
        try:
            await publisher.compare(bucket)
        except NotOursError as error:
            raise NotAdoptedError(f"somebody else has adopted the bucket meanwhile: {error}") from error
        if publisher.published and not publisher.unknown:
            return
    raise NotAdoptedError(
        "the bucket is taken over, but not all could be written; "
        "a Tower on this database tries again, and its /readyz says what is left"
    )


async def _claim(plan: Plan, bucket: Bucket, identity: Identity) -> None:
    value = encode_claim(Claim(identity.database, identity.comparisons, identity.address))
    for _ in range(TRIES):  # the Tower that fills it now counts its comparisons there
        entry = await bucket.get(CLAIM_KEY)
        claim = claim_of(entry)
        if (claim and claim.database) != (plan.claim and plan.claim.database):
            break
        try:
            await bucket.put(CLAIM_KEY, value, 0 if entry is None else entry.revision)
        except RevisionConflictError:
            continue
        return
    raise NotAdoptedError("somebody else has claimed the bucket meanwhile; run `tailslide tower adopt` again")


async def _raise_above(connection: AsyncConnection, key: str, there: Stamp) -> None:
    """Make the flag or segment, or what is remembered of it, newer than what the bucket has."""
    segment_id = segment_of(key)
    app, name = segment_id or FlagId.parse(key)
    for table in (flags, deleted_flags) if segment_id is None else (segments, deleted_segments):
        values = {"version": sa.func.greatest(table.c.version, there.version) + 1}
        if segment_id is None:
            values["reset_generation"] = sa.func.greatest(table.c.reset_generation, there.reset_generation)
        await connection.execute(sa.update(table).where(table.c.app == app, table.c.key == name).values(values))


async def _remember_deleted(connection: AsyncConnection, key: str, there: Stamp) -> None:
    segment_id = segment_of(key)
    if segment_id is not None:
        statement = insert(deleted_segments).values(app=segment_id.app, key=segment_id.segment, version=there.version)
    else:
        flag_id = FlagId.parse(key)
        statement = insert(deleted_flags).values(
            app=flag_id.app, key=flag_id.flag, version=there.version, reset_generation=there.reset_generation
        )
    await connection.execute(statement.on_conflict_do_nothing())
