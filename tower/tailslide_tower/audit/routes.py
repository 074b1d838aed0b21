"""The log over HTTP."""

import asyncio
from datetime import UTC
from typing import Any

import structlog
from aiohttp import web

from tailslide_core.naming import FlagId
from tailslide_tower import times
from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.audit import shown
from tailslide_tower.audit.entry import LogRow
from tailslide_tower.audit.models import (
    AppLogQuery,
    EntryOut,
    ExportFormat,
    ExportQuery,
    FlagLogQuery,
    LogPage,
    LogQuery,
    RollBack,
    VersionList,
    VersionsQuery,
    entry_id,
)
from tailslide_tower.audit.sentences import differences_of, sentence_of
from tailslide_tower.audit.service import OF_FLAGS, LogPart, LogService
from tailslide_tower.database import DatabaseUnavailableError
from tailslide_tower.flag_states.shown import with_state
from tailslide_tower.flags.models import FlagOut
from tailslide_tower.flags.routes import FLAGS
from tailslide_tower.requests import NoFields, NoQuery

LOG = web.AppKey("log", LogService)

routes = Routes("log")
log = structlog.get_logger()

CSV = "text/csv"
JSONL = "application/jsonl"


def _answer(ask: Ask[Any, Any], part: LogPart) -> web.Response:
    entries = [shown.entry_json(row, ask.principal, full=ask.query.full) for row in part.rows]
    return ask.answer({"entries": entries, "next": part.next})


@routes.get("/log", access=Access.VIEW, answer=LogPage, summary="Show the log")
async def list_log(ask: Ask[NoFields, LogQuery]) -> web.Response:
    """Newest first, of all apps that the one who asks may see.

    What belongs to no app, and what is about people and tokens, is for admins.
    """
    query = ask.query
    filters = query.filters(query.only_app, query.key)
    return _answer(ask, await ask.request.app[LOG].page(filters, ask.principal, query.before, query.limit))


@routes.get(
    "/log/export",
    access=Access.VIEW,
    answer=str,
    summary="Export the log",
    media_type=f"{CSV}, {JSONL}",
)
async def export_log(ask: Ask[NoFields, ExportQuery]) -> web.StreamResponse:
    """All entries that are asked for, newest first, as CSV or as lines of JSON; `limit`, if given, bounds them.

    In CSV a text that a spreadsheet would take for a formula has ' before it. If the connection ends without the last
    chunk, the export is not whole.
    """
    query = ask.query
    filters = query.filters(query.only_app, query.key)
    limit = query.limit if "limit" in query.model_fields_set else None
    parts = ask.request.app[LOG].export(filters, ask.principal, query.before, limit)
    # What is refused, or cannot be read now, is answered as ever: nothing was sent yet.
    rows: list[LogRow] = await anext(parts, [])
    is_csv = query.format is ExportFormat.CSV
    lines = shown.csv_lines if is_csv else shown.jsonl
    name = f"tailslide-log-{times.now().astimezone(UTC):%Y-%m-%dT%H-%M-%S}Z.{query.format}"
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{CSV if is_csv else JSONL}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
    )
    response.enable_chunked_encoding()
    await response.prepare(ask.request)
    if is_csv:
        await response.write(shown.csv_head())
    try:
        while rows:
            await response.write(lines(rows, ask.principal))
            await asyncio.sleep(0)  # others have their turn, however fast the client reads
            rows = await anext(parts, [])
    except DatabaseUnavailableError as error:
        log.warning("log_export_cut_off", error=str(error))
        if ask.request.transport is not None:
            ask.request.transport.abort()
        return response
    await response.write_eof()
    return response


@routes.get("/log/{entry}", access=Access.VIEW, answer=EntryOut, summary="Show an entry of the log")
async def get_entry(ask: Plain) -> web.Response:
    """One entry, with the whole states before and after."""
    row = await ask.request.app[LOG].get(entry_id("entry", ask.text("entry")), ask.principal)
    return ask.answer(shown.entry_json(row, ask.principal, full=True))


@routes.get("/apps/{app}/log", access=Access.VIEW, answer=LogPage, summary="Show an app's log")
async def list_app_log(ask: Ask[NoFields, AppLogQuery]) -> web.Response:
    """Newest first. The app need not exist any more."""
    query = ask.query
    filters = query.filters(ask.app, query.key)
    return _answer(ask, await ask.request.app[LOG].of_app(filters, ask.principal, query.before, query.limit))


@routes.get("/apps/{app}/flags/{flag}/log", access=Access.VIEW, answer=LogPage, summary="Show a flag's log")
async def list_flag_log(ask: Ask[NoFields, FlagLogQuery]) -> web.Response:
    """Changes of the flag and transitions of its circuit, newest first. The flag need not exist any more."""
    query = ask.query
    flag_id = FlagId(ask.app, ask.key("flag"))
    filters = query.filters(flag_id.app, flag_id.flag, OF_FLAGS)
    part = await ask.request.app[LOG].of_flag(flag_id, filters, ask.principal, query.before, query.limit)
    return _answer(ask, part)


@routes.get(
    "/apps/{app}/flags/{flag}/versions", access=Access.VIEW, answer=VersionList, summary="List a flag's versions"
)
async def list_versions(ask: Ask[NoFields, VersionsQuery]) -> web.Response:
    """What the flag can be rolled back to, newest first."""
    found = await ask.request.app[LOG].versions(FlagId(ask.app, ask.key("flag")), ask.query.before, ask.query.limit)
    versions = [
        {
            "version": row.version,
            "entry": row.id,
            "at": times.timestamp(row.at),
            "actor": shown.actor_json(row),
            "reason": row.reason,
            "action": row.action,
            "sentence": sentence_of(row, differences_of(row)),
            "current": row.version == found.current,
        }
        for row in found.part.rows
    ]
    return ask.answer({"versions": versions, "next": found.part.next})


@routes.post(
    "/apps/{app}/flags/{flag}/rollback",
    access=Access.EDIT,
    answer=FlagOut,
    summary="Roll a flag back",
    conditional=True,
    published=True,
)
async def roll_back_flag(ask: Ask[RollBack, NoQuery]) -> web.Response:
    """Make it as it was in an earlier version: whole, whether it was on included. That is a new version.

    Which versions there are is said by `versions`. What no longer fits, such as a rule on a segment that was deleted,
    is refused as in any other change.
    """
    flag_id = FlagId(ask.app, ask.key("flag"))
    found = await ask.request.app[LOG].version(flag_id, ask.body.version)
    rolled = await ask.request.app[FLAGS].roll_back(
        flag_id, ask.body.version, dict(found.after or {}), ask.precondition, ask.author
    )
    return ask.answer(await with_state(ask.request, rolled.flag, rolled.json()), etag=rolled.flag.version)
