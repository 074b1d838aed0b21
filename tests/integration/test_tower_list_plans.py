"""Lists on a full database: each is found by an index, and says what a plain look at all entries would say."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

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
from lists_bench.plans import Recorded, carry_out, scans
from lists_bench.questions import OF_THE_LOG, Question, questions

EXTENT = Extent(100, 2_000, 20_000, 20_000, 100)
QUESTIONS = questions(EXTENT)
INDEXED = (OF_THE_LOG, "states: ", "deliveries: ", "versions: ")
"""Questions about tables that grow for as long as Tower is in use."""


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


async def test_no_list_goes_through_a_table_that_grows(own_servers: RealServers, tmp_path: Path) -> None:
    async with full_database(own_servers, tmp_path) as connection:
        for name, ask in QUESTIONS.items():
            if name.startswith(INDEXED):
                assert not {scan for scan in await scans_of(connection, ask) if scan.startswith("seq ")}, name


async def test_every_way_to_a_list_gives_the_same(own_servers: RealServers, tmp_path: Path) -> None:
    async with full_database(own_servers, tmp_path) as connection:
        # What is asked of each of many flags by itself takes minutes without an index.
        asks = {name: ask for name, ask in QUESTIONS.items() if not name.startswith("states: ")}
        quickly = {name: await ask(connection) for name, ask in asks.items()}
        for way in ("indexscan", "indexonlyscan", "bitmapscan"):
            await connection.execute(sa.text(f"SET LOCAL enable_{way} = off"))
        for name, ask in asks.items():
            assert (name, await ask(connection)) == (name, quickly[name])


async def scans_of(connection: AsyncConnection, ask: Question) -> set[str]:
    """Return what the queries of a question read."""
    recorded = Recorded(connection)
    await ask(cast(AsyncConnection, recorded))
    return {scan for query in recorded.queries for scan in scans((await carry_out(connection, query)).plan)}
