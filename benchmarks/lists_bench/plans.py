"""How PostgreSQL goes about statements: the scans of their plans, and what they read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class Explained(sa.Executable, sa.ClauseElement):
    """A query that is carried out, of which not the rows but the plan is returned."""

    inherit_cache = False

    def __init__(self, statement: sa.Select[Any]) -> None:
        self.statement = statement


@compiles(Explained)
def _explain(element: Explained, compiler: SQLCompiler, **options: Any) -> str:
    return "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + compiler.process(element.statement, **options)


@dataclass
class Recorded:
    """Stands before a connection and notes the queries that are sent over it."""

    connection: AsyncConnection
    queries: list[sa.Select[Any]] = field(default_factory=list)

    async def execute(self, statement: sa.Executable, *more: Any) -> Any:
        if isinstance(statement, sa.Select):
            self.queries.append(statement)
        return await self.connection.execute(statement, *more)


@dataclass(frozen=True)
class Carried:
    """How a query was carried out. `server_ms` is what PostgreSQL took to plan and to run it."""

    plan: dict[str, Any]
    server_ms: float


async def carry_out(connection: AsyncConnection, statement: sa.Select[Any]) -> Carried:
    """Carry out a query, and return how."""
    said = (await connection.execute(Explained(statement))).scalar_one()
    said = (orjson.loads(said) if isinstance(said, str) else said)[0]
    return Carried(said["Plan"], said["Planning Time"] + said["Execution Time"])


def pages_read(plan: dict[str, Any]) -> int:
    """Return how many pages of 8 KiB were looked at, in memory or on disk."""
    return int(plan.get("Shared Hit Blocks", 0)) + int(plan.get("Shared Read Blocks", 0))


def scans(plan: dict[str, Any]) -> Iterator[str]:
    """Yield what is read, in the order of the plan: `index only log_filters_idx`, `seq flags`."""
    kind = str(plan["Node Type"])
    if kind.endswith("Scan") and (name := plan.get("Index Name") or plan.get("Relation Name")):
        yield f"{kind.removesuffix(' Scan').lower()} {name}"
    for inner in plan.get("Plans", ()):
        yield from scans(inner)


def in_short(plan: dict[str, Any]) -> str:
    """Return the scans of a plan, each once. How the entries of the page itself are read goes without saying."""
    found = [scan for scan in dict.fromkeys(scans(plan)) if scan != "index log_pkey"]
    return ", ".join(found) or "index log_pkey"
