"""The rules for changing segments: changes of one segment happen one after another, and the publisher is notified.

What a change makes of a segment is in `segment`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.contracts import Json
from tailslide_core.naming import SegmentId
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.apps.admission import admitted
from tailslide_tower.apps.errors import app_not_found, named, newer_in_bucket
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import Author
from tailslide_tower.database import Database
from tailslide_tower.flags.store import FlagStore
from tailslide_tower.requests import Page, Precondition
from tailslide_tower.segments import segment as segment_changes
from tailslide_tower.segments.models import SegmentChange, SegmentCreate, SegmentMembers
from tailslide_tower.segments.segment import KeptSegment, ListedSegment
from tailslide_tower.segments.store import SegmentStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ShownSegment:
    """A segment, and the app's segments whose keys differ from its only by case."""

    kept: KeptSegment
    alike: Collection[str] = ()

    def json(self) -> Json:
        """Return the segment as the API shows it."""
        return self.kept.json(self.alike)


class Publication(Protocol):
    """Who publishes changes."""

    def changed(self, segment_id: SegmentId, /) -> None:
        """Note, after the commit, that a segment has changed."""

    def is_left_alone(self, segment_id: SegmentId, /) -> bool:
        """Whether a change of this segment would not arrive, as far as known."""


class SegmentService:
    """Segments, for people: raises `ApiError` and `ContractError` on bad requests."""

    def __init__(self, database: Database, publication: Publication) -> None:
        self._database = database
        self._publication = publication

    async def page(self, app: str, page: Page) -> list[ListedSegment]:
        """Return the segments of a page and, if there are more, one of them."""
        async with self._database.begin() as connection:
            if await AppStore(connection).get(app) is None:
                raise app_not_found(app)
            return await SegmentStore(connection).page(app, page)

    async def get(self, segment_id: SegmentId) -> ShownSegment:
        """Return a segment."""
        async with self._database.begin() as connection:
            kept = await SegmentStore(connection).get(segment_id)
            if kept is None:
                raise await _not_found(AppStore(connection), segment_id)
            return await _shown(connection, kept)

    async def create(self, app: str, request: SegmentCreate, author: Author) -> ShownSegment:
        """Add a segment."""
        kept = segment_changes.created(app, request, times.now())
        self._refuse_left_alone(kept.segment_id)
        async with self._database.begin() as connection:
            admitted(await AppStore(connection).keep(app), app, author)
            store = SegmentStore(connection)
            if not await store.add(kept):
                raise ApiError(409, "SEGMENT_EXISTS", f"the app {app!r} already has a segment {request.key!r}", "key")
            # Read only now: the insertion may have waited for the deletion of the old segment.
            last = await store.last_of(kept.segment_id)
            if last is not None:
                kept = segment_changes.recreated(kept, last)
                await store.update(kept)
            shown = await _shown(connection, kept)
            await record(connection, _entry("segment.created", author, None, kept))
        self._changed("segment_created", kept, author)
        return shown

    async def change(
        self, segment_id: SegmentId, request: SegmentChange, precondition: Precondition, author: Author
    ) -> ShownSegment:
        """Change a segment; a change without effect raises no version and notifies nobody."""
        return await self._change(
            segment_id, lambda kept: segment_changes.changed(kept, request, times.now()), precondition, author
        )

    async def change_members(
        self, segment_id: SegmentId, request: SegmentMembers, precondition: Precondition, author: Author
    ) -> ShownSegment:
        """Add and remove members, whatever others do to the rest of the list meanwhile."""
        return await self._change(
            segment_id, lambda kept: segment_changes.with_members(kept, request, times.now()), precondition, author
        )

    async def _change(
        self,
        segment_id: SegmentId,
        change: Callable[[KeptSegment], KeptSegment],
        precondition: Precondition,
        author: Author,
    ) -> ShownSegment:
        self._refuse_left_alone(segment_id)
        async with self._database.begin() as connection:
            admitted(await AppStore(connection).keep(segment_id.app), segment_id.app, author)
            store = SegmentStore(connection)
            before = await self._locked(store, AppStore(connection), segment_id)
            precondition.check(before.version, before.json)
            after = change(before)
            shown = await _shown(connection, after)
            if after is before:
                return shown
            await store.update(after)
            await record(connection, _entry("segment.changed", author, before, after))
        self._changed("segment_changed", after, author)
        return shown

    async def delete(self, segment_id: SegmentId, precondition: Precondition, author: Author) -> None:
        """Delete a segment that no flag uses."""
        self._refuse_left_alone(segment_id)
        async with self._database.begin() as connection:
            admitted(await AppStore(connection).arrange(segment_id.app), segment_id.app, author)
            store = SegmentStore(connection)
            kept = await self._locked(store, AppStore(connection), segment_id)
            precondition.check(kept.version, kept.json)
            if users := await FlagStore(connection).that_use(segment_id):
                use = "uses" if len(users) == 1 else "use"
                raise ApiError(
                    409,
                    "SEGMENT_IN_USE",
                    f"{named(users)} {use} the segment {segment_id.segment!r}; remove it from the rules there first",
                    "segment",
                )
            await store.delete(kept)
            await record(connection, _entry("segment.deleted", author, kept, None))
        self._changed("segment_deleted", kept, author)

    def _refuse_left_alone(self, segment_id: SegmentId) -> None:
        if self._publication.is_left_alone(segment_id):
            raise newer_in_bucket(segment_id, "segment")

    @staticmethod
    async def _locked(store: SegmentStore, apps: AppStore, segment_id: SegmentId) -> KeptSegment:
        kept = await store.lock(segment_id)
        if kept is None:
            raise await _not_found(apps, segment_id)
        return kept

    def _changed(self, event: str, kept: KeptSegment, author: Author) -> None:
        self._publication.changed(kept.segment_id)
        app, segment = kept.segment_id
        log.info(event, who=author.name, app=app, segment=segment, version=kept.version)


def _entry(action: str, author: Author, before: KeptSegment | None, after: KeptSegment | None) -> LogEntry:
    kept = after or before
    assert kept is not None
    app, key = kept.segment_id
    return LogEntry(
        action,
        Subject(SubjectKind.SEGMENT, app, key),
        author,
        None if before is None else before.without_members(),
        None if after is None else after.without_members(),
        kept.version,
        segment_changes.members_changed(before, after),
    )


async def _shown(connection: AsyncConnection, kept: KeptSegment) -> ShownSegment:
    return ShownSegment(kept, await SegmentStore(connection).alike(kept.segment_id))


async def _not_found(apps: AppStore, segment_id: SegmentId) -> ApiError:
    if await apps.get(segment_id.app) is None:
        return app_not_found(segment_id.app)
    app, key = segment_id
    return ApiError(404, "SEGMENT_NOT_FOUND", f"the app {app!r} has no segment {key!r}", "segment")
