"""Segments over HTTP. Each answer with one segment carries its version as `ETag`."""

from aiohttp import web

from tailslide_core.naming import SegmentId
from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.requests import NoFields, NoQuery, PageQuery
from tailslide_tower.segments.models import (
    SegmentChange,
    SegmentCreate,
    SegmentList,
    SegmentMembers,
    SegmentOut,
)
from tailslide_tower.segments.service import SegmentService

SEGMENTS = web.AppKey("segments", SegmentService)

routes = Routes("segments")

_SEGMENT = "/apps/{app}/segments/{segment}"


def _segment_id(ask: Ask[SegmentChange, NoQuery] | Ask[SegmentMembers, NoQuery] | Plain) -> SegmentId:
    return SegmentId(ask.app, ask.key("segment"))


@routes.get("/apps/{app}/segments", access=Access.VIEW, answer=SegmentList, summary="List an app's segments")
async def list_segments(ask: Ask[NoFields, PageQuery]) -> web.Response:
    """With numbers in the place of members, in the order of their keys."""
    page = ask.query.page
    found = await ask.request.app[SEGMENTS].page(ask.app, page)
    shown = found[: page.limit]
    more = len(found) > page.limit
    return ask.answer({"segments": [segment.json() for segment in shown], "next": shown[-1].key if more else None})


@routes.post(
    "/apps/{app}/segments",
    access=Access.EDIT,
    answer=SegmentOut,
    status=201,
    summary="Make a segment",
    published=True,
)
async def create_segment(ask: Ask[SegmentCreate, NoQuery]) -> web.Response:
    """A segment is members, those who are excluded, and conditions."""
    shown = await ask.request.app[SEGMENTS].create(ask.app, ask.body, ask.author)
    return ask.answer(shown.json(), etag=shown.kept.version, location=shown.kept.segment_id.segment)


@routes.get(_SEGMENT, access=Access.VIEW, answer=SegmentOut, summary="Show a segment")
async def get_segment(ask: Plain) -> web.Response:
    """Show one segment, with all members."""
    shown = await ask.request.app[SEGMENTS].get(_segment_id(ask))
    return ask.answer(shown.json(), etag=shown.kept.version)


@routes.patch(
    _SEGMENT, access=Access.EDIT, answer=SegmentOut, summary="Change a segment", conditional=True, published=True
)
async def change_segment(ask: Ask[SegmentChange, NoQuery]) -> web.Response:
    """What is not given stays; a list is replaced whole."""
    shown = await ask.request.app[SEGMENTS].change(_segment_id(ask), ask.body, ask.precondition, ask.author)
    return ask.answer(shown.json(), etag=shown.kept.version)


@routes.post(
    f"{_SEGMENT}/members",
    access=Access.EDIT,
    answer=SegmentOut,
    summary="Add and remove members",
    conditional=True,
    published=True,
)
async def change_members(ask: Ask[SegmentMembers, NoQuery]) -> web.Response:
    """The other members stay, whatever others do to the list meanwhile."""
    shown = await ask.request.app[SEGMENTS].change_members(_segment_id(ask), ask.body, ask.precondition, ask.author)
    return ask.answer(shown.json(), etag=shown.kept.version)


@routes.delete(_SEGMENT, access=Access.EDIT, summary="Delete a segment", conditional=True, published=True)
async def delete_segment(ask: Plain) -> web.Response:
    """Refused while a flag uses it."""
    await ask.request.app[SEGMENTS].delete(_segment_id(ask), ask.precondition, ask.author)
    return ask.answer()
