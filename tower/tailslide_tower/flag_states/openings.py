"""When circuits last opened, and closed again: read from the log, which has it for longer than a Tower runs."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.breach import TripReason
from tailslide_core.contracts import decode_circuit
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId
from tailslide_core.sentences.facts import Opening
from tailslide_core.sentences.overview import LastTrip
from tailslide_core.sentences.transitions import Move
from tailslide_tower.audit.entry import SubjectKind
from tailslide_tower.audit.store import CLOSED, OPENED, is_one_of, log_entries

log = structlog.get_logger()


async def last_openings(connection: AsyncConnection, flag_ids: Collection[FlagId]) -> Mapping[FlagId, Opening]:
    """Return the last opening of each of these circuits, of those that the log has, and when it closed after that."""
    if not flag_ids:
        return {}
    asked = sa.values(sa.column("app", sa.Text), sa.column("key", sa.Text), name="asked").data(
        [(flag_id.app, flag_id.flag) for flag_id in flag_ids]
    )

    def entries_with(actions: Sequence[str]) -> sa.Select[Any]:
        return (
            sa.select(log_entries.c.id, log_entries.c.at, log_entries.c.after)
            .where(
                log_entries.c.app == asked.c.app,
                log_entries.c.kind == SubjectKind.CIRCUIT,
                log_entries.c.key == asked.c.key,
                is_one_of(actions),
            )
            .limit(1)
        )

    opened = entries_with(OPENED).order_by(log_entries.c.id.desc()).correlate(asked).lateral("opened")
    closed = (
        entries_with(CLOSED)
        .where(log_entries.c.id > opened.c.id)
        .order_by(log_entries.c.id)
        .correlate(asked, opened)
        .lateral("closed")
    )
    query = sa.select(
        asked.c.app, asked.c.key, opened.c.at, opened.c.after, closed.c.at.label("closed_at")
    ).select_from(asked.join(opened, sa.true()).outerjoin(closed, sa.true()))
    return {
        FlagId(row["app"], row["key"]): Opening(
            _ms(row["at"]), _reason(row["after"]), None if row["closed_at"] is None else _ms(row["closed_at"])
        )
        for row in (await connection.execute(query)).mappings()
    }


async def last_trip(connection: AsyncConnection, apps: Collection[str] | None) -> LastTrip | None:
    """Return the last time that any circuit of these apps (None: of all) opened out of being closed."""
    query = (
        sa.select(log_entries.c.app, log_entries.c.key)
        .where(log_entries.c.action == f"circuit.{Move.OPENED}")
        .order_by(log_entries.c.id.desc())
        .limit(1)
    )
    if apps is not None:
        query = query.where(log_entries.c.app.in_(apps))
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    flag_id = FlagId(row.app, row.key)
    opening = (await last_openings(connection, [flag_id])).get(flag_id)
    return None if opening is None else LastTrip(flag_id, opening.at_ms, opening.closed_ms)


def later(one: Opening | None, other: Opening | None) -> Opening | None:
    """Return the later of two accounts of a last opening; of the same one, that which knows when it closed."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda opening: (opening.at_ms, opening.closed_ms is not None))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _reason(circuit: Any) -> TripReason | None:
    try:
        return decode_circuit(orjson.dumps(circuit)).reason
    except ContractError as error:
        log.warning("log_entry_unreadable", error=str(error))
        return None
