"""Flags over HTTP. Each answer with one flag carries its version as `ETag`."""

from typing import Any

from aiohttp import web

from tailslide_core.naming import FlagId, check_app_key, check_flag_key
from tailslide_tower.api.routes import Access, Ask, Plain, Routes, check_role
from tailslide_tower.auth.principal import Role
from tailslide_tower.flag_states.shown import with_state, with_states
from tailslide_tower.flags.lists import AllFlagsQuery, FlagQuery
from tailslide_tower.flags.models import Archive, Duplicate, FlagChange, FlagCreate, FlagList, FlagOut, Toggle
from tailslide_tower.flags.service import FlagService, ShownFlag
from tailslide_tower.requests import NoFields, NoQuery

FLAGS = web.AppKey("flags", FlagService)

routes = Routes("flags")

_FLAG = "/apps/{app}/flags/{flag}"


def _flag_id(ask: Ask[Any, Any]) -> FlagId:
    return FlagId(ask.app, ask.key("flag"))


async def _answer(ask: Ask[Any, Any], shown: ShownFlag, location: str | None = None) -> web.Response:
    body = await with_state(ask.request, shown.flag, shown.json())
    return ask.answer(body, etag=shown.flag.version, location=location)


@routes.get("/apps/{app}/flags", access=Access.VIEW, answer=FlagList, summary="List an app's flags")
async def list_flags(ask: Ask[NoFields, FlagQuery]) -> web.Response:
    """In the order of their keys; those that are archived only where they are asked for."""
    limit = ask.query.limit
    found = await ask.request.app[FLAGS].page(ask.app, ask.query)
    shown = found[:limit]
    more = len(found) > limit
    flags = await with_states(ask.request, [each.flag for each in shown], [each.json() for each in shown])
    return ask.answer({"flags": flags, "next": shown[-1].flag.flag_id.flag if more else None})


@routes.get("/flags", access=Access.VIEW, answer=FlagList, summary="List the flags of all apps")
async def list_all_flags(ask: Ask[NoFields, AllFlagsQuery]) -> web.Response:
    """Of those apps that the one who asks may see, in the order of the apps' keys, then of the flags' own.

    `next` is `<app>.<flag>`. The flags of an archived app count as archived.
    """
    limit = ask.query.limit
    found = await ask.request.app[FLAGS].page_of_all(ask.query, ask.principal.apps_with(Role.VIEWER))
    shown = found[:limit]
    more = len(found) > limit
    flags = await with_states(ask.request, [each.flag for each in shown], [each.json() for each in shown])
    return ask.answer({"flags": flags, "next": str(shown[-1].flag.flag_id) if more else None})


@routes.post("/apps/{app}/flags", access=Access.EDIT, answer=FlagOut, status=201, summary="Make a flag", published=True)
async def create_flag(ask: Ask[FlagCreate, NoQuery]) -> web.Response:
    """What is not given is as in the app's `defaults`, else as here; a new flag is off unless one says so."""
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


@routes.post(
    f"{_FLAG}/duplicate",
    access=Access.VIEW,
    answer=FlagOut,
    status=201,
    summary="Copy a flag to another app or key",
    published=True,
)
async def duplicate_flag(ask: Ask[Duplicate, NoQuery]) -> web.Response:
    """The copy is turned off, and its circuit is its own. The role editor is needed in the app that gets it.

    Refused where that app lacks flags or segments that the flag names.
    """
    flag_id = _flag_id(ask)
    app = ask.app if ask.body.app is None else check_app_key("app", ask.body.app)
    key = flag_id.flag if ask.body.key is None else check_flag_key("key", ask.body.key)
    check_role(ask.principal, Role.EDITOR, app)
    made = await ask.request.app[FLAGS].duplicate(flag_id, FlagId(app, key), ask.author)
    answer = await _answer(ask, made)
    answer.headers["Location"] = ask.request.path.removesuffix(f"{ask.app}/flags/{flag_id.flag}/duplicate") + (
        f"{app}/flags/{key}"
    )
    return answer


@routes.post(
    f"{_FLAG}/archive",
    access=Access.EDIT,
    answer=FlagOut,
    summary="Archive a flag",
    conditional=True,
    published=True,
)
async def archive_flag(ask: Ask[Archive, NoQuery]) -> web.Response:
    """Sidecars do not get it any more, so that callers fall to their own defaults; it keeps its key and its history.

    Refused while another flag requires it; and while something has asked for it in the last 7 days, or that is not
    known, unless it is forced.
    """
    service = ask.request.app[FLAGS]
    return await _answer(ask, await service.archive(_flag_id(ask), ask.precondition, ask.author, force=ask.body.force))


@routes.post(
    f"{_FLAG}/restore",
    access=Access.EDIT,
    answer=FlagOut,
    summary="Restore an archived flag",
    conditional=True,
    published=True,
)
async def restore_flag(ask: Plain) -> web.Response:
    """It is as it was, on or off, with its circuit closed."""
    return await _answer(ask, await ask.request.app[FLAGS].restore(_flag_id(ask), ask.precondition, ask.author))


@routes.delete(_FLAG, access=Access.ADMIN, summary="Delete an archived flag for good", conditional=True, published=True)
async def delete_flag(ask: Plain) -> web.Response:
    """Refused unless it is archived, and while another flag requires it, even an archived one."""
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
