"""Flags over HTTP. Each answer with one flag carries its version as `ETag`; each change honours `If-Match`."""

from aiohttp import web

from tailslide_core.naming import FlagId
from tailslide_runtime.http import json_response
from tailslide_tower.auth.middleware import TOKEN_NAME
from tailslide_tower.flags.models import FlagChange, FlagCreate, Toggle
from tailslide_tower.flags.service import FlagService, ShownFlag
from tailslide_tower.requests import (
    NoFields,
    path_app,
    path_key,
    read_body,
    read_no_query,
    read_page,
    read_precondition,
)

FLAGS = web.AppKey("flags", FlagService)

routes = web.RouteTableDef()

_FLAG = "/apps/{app}/flags/{flag}"


def _flag_id(request: web.Request) -> FlagId:
    read_no_query(request)
    return FlagId(path_app(request), path_key(request, "flag"))


def _answer(shown: ShownFlag, status: int = 200) -> web.Response:
    answer = json_response(shown.json(), status)
    answer.headers["ETag"] = f'"{shown.flag.version}"'
    return answer


@routes.get("/apps/{app}/flags")
async def list_flags(request: web.Request) -> web.Response:
    """`{"flags": […], "next": key to continue after, or null}`."""
    page = read_page(request)
    found = await request.app[FLAGS].page(path_app(request), page)
    shown = found[: page.limit]
    more = len(found) > page.limit
    return json_response(
        {"flags": [flag.json() for flag in shown], "next": shown[-1].flag.flag_id.flag if more else None}
    )


@routes.post("/apps/{app}/flags")
async def create_flag(request: web.Request) -> web.Response:
    """201 with the flag."""
    read_no_query(request)
    app = path_app(request)
    made = await request.app[FLAGS].create(app, await read_body(request, FlagCreate), request[TOKEN_NAME])
    answer = _answer(made, 201)
    answer.headers["Location"] = f"{request.path}/{made.flag.flag_id.flag}"
    return answer


@routes.get(_FLAG)
async def get_flag(request: web.Request) -> web.Response:
    """Return one flag."""
    return _answer(await request.app[FLAGS].get(_flag_id(request)))


@routes.patch(_FLAG)
async def change_flag(request: web.Request) -> web.Response:
    """Return the flag as it is then."""
    flag_id, precondition = _flag_id(request), read_precondition(request)
    body = await read_body(request, FlagChange)
    return _answer(await request.app[FLAGS].change(flag_id, body, precondition, request[TOKEN_NAME]))


@routes.delete(_FLAG)
async def delete_flag(request: web.Request) -> web.Response:
    """204."""
    flag_id, precondition = _flag_id(request), read_precondition(request)
    await read_body(request, NoFields)
    await request.app[FLAGS].delete(flag_id, precondition, request[TOKEN_NAME])
    return web.Response(status=204)


@routes.post(f"{_FLAG}/toggle")
async def toggle_flag(request: web.Request) -> web.Response:
    """`{"active": true | false}`, or nothing for the other way round; returns the flag as it is then."""
    flag_id, precondition = _flag_id(request), read_precondition(request)
    body = await read_body(request, Toggle)
    active = body.active if "active" in body.model_fields_set else None
    return _answer(await request.app[FLAGS].toggle(flag_id, active, precondition, request[TOKEN_NAME]))


@routes.post(f"{_FLAG}/circuit/reset")
async def reset_circuit(request: web.Request) -> web.Response:
    """Return the flag, its `circuit.reset_generation` raised."""
    flag_id, precondition = _flag_id(request), read_precondition(request)
    await read_body(request, NoFields)
    return _answer(await request.app[FLAGS].reset_circuit(flag_id, precondition, request[TOKEN_NAME]))
