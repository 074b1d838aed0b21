"""Graphs over HTTP: one flag in full, or the calls and error rates of many."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId
from tailslide_runtime.http import ApiError
from tailslide_tower.api.routes import Access, Ask, Routes
from tailslide_tower.audit.entry import SubjectKind
from tailslide_tower.audit.queries import Filters
from tailslide_tower.audit.routes import LOG
from tailslide_tower.auth.principal import Principal, Role
from tailslide_tower.flags.routes import FLAGS
from tailslide_tower.requests import NoFields, NoQuery
from tailslide_tower.timeseries.marks import MAX_MARKS, mark_json, moment
from tailslide_tower.timeseries.models import (
    MAX_FLAGS,
    GraphOut,
    GraphQuery,
    RangeName,
    SparksAsked,
    SparksOut,
    SparksQuery,
)
from tailslide_tower.timeseries.series import SeriesUnavailableError
from tailslide_tower.timeseries.service import GraphService, sparks_json, unavailable

GRAPHS = web.AppKey("graphs", GraphService)

routes = Routes("graphs")


@routes.get(
    "/apps/{app}/flags/{flag}/timeseries", access=Access.VIEW, answer=GraphOut, summary="Show the graph of a flag"
)
async def show_graph(ask: Ask[NoFields, GraphQuery]) -> web.Response:
    """Calls to the feature and to the fallback, latencies and evaluations, over a range of time.

    Null stands for a bucket in which nothing was counted: no calls, or counts that could not be written; the two cannot
    be told apart. `marks` are what happened to the flag and its circuit meanwhile. Kept are single samples for an hour,
    sums of ten seconds for a day, and sums of a minute for 30 days. 503 `GRAPHS_UNAVAILABLE` while Redis is away.
    """
    flag_id = FlagId(ask.app, ask.key("flag"))
    shown = await ask.request.config_dict[FLAGS].get(flag_id)
    try:
        graph = await ask.request.app[GRAPHS].graph(shown.flag.ruleset, ask.query)
    except SeriesUnavailableError as error:
        raise unavailable(error) from error
    filters = Filters(
        app=flag_id.app,
        key=flag_id.flag,
        kinds=(SubjectKind.FLAG, SubjectKind.CIRCUIT),
        since=moment(graph["points"]["from_ms"]),
        until=moment(graph["points"]["to_ms"]),
    )
    part = await ask.request.config_dict[LOG].page(filters, ask.principal, None, MAX_MARKS)
    return ask.answer(graph | {"marks": [mark_json(row) for row in part.rows], "marks_omitted": part.more})


@routes.get("/timeseries", access=Access.VIEW, answer=SparksOut, summary="Show the calls and error rates of some flags")
async def list_sparks(ask: Ask[NoFields, SparksQuery]) -> web.Response:
    """For small graphs, all on the same buckets. A flag that does not exist has no counts.

    For more flags than fit into a URL, ask by POST.
    """
    return await _sparks(ask, ask.query.flags.split(","), ask.query.range, ask.query.resolution_ms)


@routes.post(
    "/timeseries", access=Access.VIEW, answer=SparksOut, summary="Show the calls and error rates of many flags"
)
async def find_sparks(ask: Ask[SparksAsked, NoQuery]) -> web.Response:
    """As GET does; changes nothing."""
    return await _sparks(ask, ask.body.flags, ask.body.range, ask.body.resolution_ms)


async def _sparks(
    ask: Ask[Any, Any], names: Sequence[str], range_name: RangeName, resolution_ms: int | None
) -> web.Response:
    flags = flags_named(names, ask.principal)
    try:
        sparks = await ask.request.app[GRAPHS].sparks(flags, range_name, resolution_ms)
    except SeriesUnavailableError as error:
        raise unavailable(error) from error
    return ask.answer(sparks_json(sparks, flags))


def flags_named(names: Sequence[str], principal: Principal, field: str = "flags") -> list[FlagId]:
    """Read flags as `<app>.<flag>`; raise `ContractError`, and 403 for those that this one may not view."""
    if len(names) > MAX_FLAGS:
        raise ContractError(field, f"expected at most {MAX_FLAGS} flags, got {len(names)}")
    flags: dict[FlagId, None] = {}
    for index, name in enumerate(names):
        try:
            flag_id = FlagId.parse(name)
        except ContractError as error:
            problem = error.problem if error.field == "key" else f"{error.problem} as the {error.field}"
            raise ContractError(f"{field}[{index}]", problem) from None
        if not principal.may(Role.VIEWER, flag_id.app):
            raise ApiError(
                403,
                "FORBIDDEN",
                f"expected the role {Role.VIEWER} in the app {flag_id.app!r}; {principal.name} has no role there",
                f"{field}[{index}]",
            )
        flags[flag_id] = None
    return list(flags)
