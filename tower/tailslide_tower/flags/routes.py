"""Flags over HTTP. Each answer with one flag carries its version as `ETag`."""

from typing import Any

from aiohttp import web

from tailslide_core.naming import FlagId
from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.flag_states.shown import with_state, with_states
from tailslide_tower.flags.models import FlagChange, FlagCreate, FlagList, FlagOut, Toggle
from tailslide_tower.flags.service import FlagService, ShownFlag
from tailslide_tower.requests import NoFields, NoQuery, PageQuery

FLAGS = web.AppKey("flags", FlagService)

routes = Routes("flags")

_FLAG = "/apps/{app}/flags/{flag}"


def _flag_id(ask: Ask[Any, Any]) -> FlagId:
    return FlagId(ask.app, ask.key("flag"))


async def _answer(ask: Ask[Any, Any], shown: ShownFlag, location: str | None = None) -> web.Response:
    body = await with_state(ask.request, shown.flag, shown.json())
    return ask.answer(body, etag=shown.flag.version, location=location)


@routes.get("/apps/{app}/flags", access=Access.VIEW, answer=FlagList, summary="List an app's flags")
async def list_flags(ask: Ask[NoFields, PageQuery]) -> web.Response:
    """In the order of their keys."""
    page = ask.query.page
    found = await ask.request.app[FLAGS].page(ask.app, page)
    shown = found[: page.limit]
    more = len(found) > page.limit
    flags = await with_states(ask.request, [each.flag for each in shown], [each.json() for each in shown])
    return ask.answer({"flags": flags, "next": shown[-1].flag.flag_id.flag if more else None})


@routes.post("/apps/{app}/flags", access=Access.EDIT, answer=FlagOut, status=201, summary="Make a flag", published=True)
async def create_flag(ask: Ask[FlagCreate, NoQuery]) -> web.Response:
    """What is not given has a default; a new flag is off."""
    made = await ask.request.app[FLAGS].create(ask.app, ask.body, ask.author)
    return await _answer(ask, made, made.flag.flag_id.flag)


@routes.get(_FLAG, access=Access.VIEW, answer=FlagOut, summary="Show a flag")
async def get_flag(ask: Plain) -> web.Response:
    """Show one flag."""
    return await _answer(ask, await ask.request.app[FLAGS].get(_flag_id(ask)))


@routes.patch(_FLAG, access=Access.EDIT, answer=FlagOut, summary="Change a flag", conditional=True, published=True)
async def change_flag(ask: Ask[FlagChange, NoQuery]) -> web.Response:
    """What is not given stays, inside `circuit` too; a change without effect makes no new version."""
    return await _answer(
        ask, await ask.request.app[FLAGS].change(_flag_id(ask), ask.body, ask.precondition, ask.author)
    )


@routes.delete(_FLAG, access=Access.EDIT, summary="Delete a flag", conditional=True, published=True)
async def delete_flag(ask: Plain) -> web.Response:
    """Refused while another flag requires it."""
    await ask.request.app[FLAGS].delete(_flag_id(ask), ask.precondition, ask.author)
    return ask.answer()


@routes.post(
    f"{_FLAG}/toggle",
    access=Access.EDIT,
    answer=FlagOut,
    summary="Turn a flag on or off",
    conditional=True,
    published=True,
)
async def toggle_flag(ask: Ask[Toggle, NoQuery]) -> web.Response:
    """Without `active` it is turned the other way round. Turning it on resets its circuit."""
    active = ask.body.active if "active" in ask.body.model_fields_set else None
    return await _answer(ask, await ask.request.app[FLAGS].toggle(_flag_id(ask), active, ask.precondition, ask.author))


@routes.post(
    f"{_FLAG}/circuit/reset",
    access=Access.EDIT,
    answer=FlagOut,
    summary="Reset a flag's circuit",
    conditional=True,
    published=True,
)
async def reset_circuit(ask: Plain) -> web.Response:
    """Close the circuit, at once and whatever it was: `circuit.reset_generation` is raised."""
    return await _answer(ask, await ask.request.app[FLAGS].reset_circuit(_flag_id(ask), ask.precondition, ask.author))
