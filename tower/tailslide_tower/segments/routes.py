"""Segments over HTTP. Each answer with one segment carries its version as `ETag`; each change honours `If-Match`."""

from aiohttp import web

from tailslide_core.naming import SegmentId
from tailslide_runtime.http import json_response
from tailslide_tower.auth.middleware import TOKEN_NAME
from tailslide_tower.requests import (
    NoFields,
    path_app,
    path_key,
    read_body,
    read_no_query,
    read_page,
    read_precondition,
)
from tailslide_tower.segments.models import SegmentChange, SegmentCreate, SegmentMembers
from tailslide_tower.segments.segment import KeptSegment
from tailslide_tower.segments.service import SegmentService

SEGMENTS = web.AppKey("segments", SegmentService)

routes = web.RouteTableDef()

_SEGMENT = "/apps/{app}/segments/{segment}"


def _segment_id(request: web.Request) -> SegmentId:
    read_no_query(request)
    return SegmentId(path_app(request), path_key(request, "segment"))


def _answer(kept: KeptSegment, status: int = 200) -> web.Response:
    answer = json_response(kept.json(), status)
    answer.headers["ETag"] = f'"{kept.version}"'
    return answer


@routes.get("/apps/{app}/segments")
async def list_segments(request: web.Request) -> web.Response:
    """`{"segments": […], "next": key to continue after, or null}`, with numbers in the place of members."""
    page = read_page(request)
    found = await request.app[SEGMENTS].page(path_app(request), page)
    shown = found[: page.limit]
    more = len(found) > page.limit
    return json_response({"segments": [segment.json() for segment in shown], "next": shown[-1].key if more else None})


@routes.post("/apps/{app}/segments")
async def create_segment(request: web.Request) -> web.Response:
    """201 with the segment."""
    read_no_query(request)
    app = path_app(request)
    kept = await request.app[SEGMENTS].create(app, await read_body(request, SegmentCreate), request[TOKEN_NAME])
    answer = _answer(kept, 201)
    answer.headers["Location"] = f"{request.path}/{kept.segment_id.segment}"
    return answer


@routes.get(_SEGMENT)
async def get_segment(request: web.Request) -> web.Response:
    """Return one segment."""
    return _answer(await request.app[SEGMENTS].get(_segment_id(request)))


@routes.patch(_SEGMENT)
async def change_segment(request: web.Request) -> web.Response:
    """Return the segment as it is then."""
    segment_id, precondition = _segment_id(request), read_precondition(request)
    body = await read_body(request, SegmentChange)
    return _answer(await request.app[SEGMENTS].change(segment_id, body, precondition, request[TOKEN_NAME]))


@routes.post(f"{_SEGMENT}/members")
async def change_members(request: web.Request) -> web.Response:
    """`{"list": "include" | "exclude", "add": […], "remove": […]}`; returns the segment as it is then."""
    segment_id, precondition = _segment_id(request), read_precondition(request)
    body = await read_body(request, SegmentMembers)
    return _answer(await request.app[SEGMENTS].change_members(segment_id, body, precondition, request[TOKEN_NAME]))


@routes.delete(_SEGMENT)
async def delete_segment(request: web.Request) -> web.Response:
    """204, or 409 while a flag uses it."""
    segment_id, precondition = _segment_id(request), read_precondition(request)
    await read_body(request, NoFields)
    await request.app[SEGMENTS].delete(segment_id, precondition, request[TOKEN_NAME])
    return web.Response(status=204)
