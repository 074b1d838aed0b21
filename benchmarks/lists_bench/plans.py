"""How PostgreSQL goes about a statement: the scans of its plan."""

from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class Explained(sa.Executable, sa.ClauseElement):
    """A statement that is not carried out; its plan is returned."""

    inherit_cache = False

    def __init__(self, statement: sa.Select[Any]) -> None:
        self.statement = statement


@compiles(Explained)
def _explain(element: Explained, compiler: SQLCompiler, **options: Any) -> str:
    return "EXPLAIN (FORMAT JSON) " + compiler.process(element.statement, **options)


async def plan_of(connection: AsyncConnection, statement: sa.Select[Any]) -> dict[str, Any]:
    """Return the plan of a statement."""
    plans = (await connection.execute(Explained(statement))).scalar_one()
    plan: dict[str, Any] = (orjson.loads(plans) if isinstance(plans, str) else plans)[0]["Plan"]
    return plan


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
