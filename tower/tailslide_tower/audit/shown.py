"""An entry of the log as the API shows it, and as it is exported. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence

import orjson

from tailslide_core.contracts import Json
from tailslide_tower.audit.entry import LogRow
from tailslide_tower.audit.sentences import differences_of, sentence_of
from tailslide_tower.auth.principal import Principal, Role
from tailslide_tower.times import timestamp

COLUMNS = (
    *("id", "at", "app", "kind", "key", "action", "version", "actor", "actor_kind", "address", "reason", "sentence"),
    "changes",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 # what spreadsheets take for formulas


def entry_json(row: LogRow, reader: Principal, *, full: bool) -> Json:
    """Return an entry as `reader` may see it; `full` with the whole states before and after."""
    changes = differences_of(row)
    entry: Json = {
        "id": row.id,
        "at": timestamp(row.at),
        "action": row.action,
        "subject": {"kind": row.subject.kind, "app": row.subject.app, "key": row.subject.key},
        "actor": actor_json(row),
        "address": address_for(row, reader),
        "reason": row.reason,
        "version": row.version,
        "minor": row.minor,
        "sentence": sentence_of(row, changes),
        "changes": [change.json() for change in changes],
        "details": dict(row.details),
    }
    return entry | {"before": row.before, "after": row.after} if full else entry


def actor_json(row: LogRow) -> Json:
    """Return who has done it."""
    return {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor}


def address_for(row: LogRow, reader: Principal) -> str | None:
    """Return where the request came from, which only admins get to know: it may tell where somebody lives."""
    return row.address if reader.may(Role.ADMIN, row.subject.app) else None


def jsonl(rows: list[LogRow], reader: Principal) -> bytes:
    """Return entries as lines of JSON, with the whole states."""
    return b"".join(orjson.dumps(entry_json(row, reader, full=True), option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def csv_head() -> bytes:
    """Return the line with the names of the columns."""
    return _csv([COLUMNS])


def csv_lines(rows: list[LogRow], reader: Principal) -> bytes:
    """Return entries as lines of CSV (RFC 4180)."""
    return _csv([_cells(row, reader) for row in rows])


def _cells(row: LogRow, reader: Principal) -> tuple[object, ...]:
    changes = differences_of(row)
    cells = (
        row.id,
        timestamp(row.at),
        row.subject.app,
        row.subject.kind,
        row.subject.key,
        row.action,
        row.version,
        row.actor,
        row.actor_kind,
        address_for(row, reader),
        row.reason,
        sentence_of(row, changes),
        orjson.dumps([change.json() for change in changes]).decode(),
    )
    return tuple(safe_cell(cell) if isinstance(cell, str) else cell for cell in cells)


def safe_cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula (OWASP, CSV injection): with ' before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(lines: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()
