"""Lists on a full database: each is found by an index, and says what a plain look at all entries would say."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa
from real_servers import RealServers
from sqlalchemy.ext.asyncio import AsyncConnection
from tower_bench import tower_bench

from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.audit.queries import plan_each
from tailslide_tower.database import Database

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from lists_bench.filling import Extent, fill
from lists_bench.plans import plan_of, scans
from lists_bench.questions import questions

EXTENT = Extent(100, 2_000, 20_000)
QUESTIONS = questions(EXTENT.entries)


@asynccontextmanager
async def full_database(servers: RealServers, folder: Path) -> AsyncIterator[AsyncConnection]:
    async with tower_bench(servers, folder) as bench:
        url = DatabaseUrl.parse(bench.database_url)
        database = Database(url)
        try:
            await database.prepare()
            filling = await asyncpg.connect(**url.connect_options())
            await fill(filling, EXTENT)
            await filling.close()
            async with database.begin() as connection:
                await plan_each(connection)
                yield connection
        finally:
            await database.close()


async def test_no_list_of_the_log_goes_through_the_table(own_servers: RealServers, tmp_path: Path) -> None:
    async with full_database(own_servers, tmp_path) as connection:
        for name, statement in QUESTIONS.items():
            if name.startswith("log:"):
                found = set(scans(await plan_of(connection, statement)))
                assert not {scan for scan in found if scan.startswith("seq ")}, name


async def test_every_way_to_a_list_gives_the_same(own_servers: RealServers, tmp_path: Path) -> None:
    async with full_database(own_servers, tmp_path) as connection:
        quickly = {name: await found_by(connection, statement) for name, statement in QUESTIONS.items()}
        for way in ("indexscan", "indexonlyscan", "bitmapscan"):
            await connection.execute(sa.text(f"SET LOCAL enable_{way} = off"))
        for name, statement in QUESTIONS.items():
            assert (name, await found_by(connection, statement)) == (name, quickly[name])


async def found_by(connection: AsyncConnection, statement: sa.Select[Any]) -> list[tuple[object, object]]:
    """Return what names the rows: the first two columns."""
    return [(row[0], row[1]) for row in await connection.execute(statement)]
