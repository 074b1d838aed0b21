"""Data folders of earlier versions go on: their counts, their database, their owners and locks."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import nats
import pytest
import redis.asyncio
from real_servers import superuser_url, temporary_folder

from tailslide_embedded.stack import Stack, embedded_servers

REDIS_7_4 = Path(__file__).parent / "data" / "redis-7.4" / "appendonlydir"
NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@asynccontextmanager
async def superuser(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(superuser_url(stack), database="tailslide")
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def tower(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(stack.endpoints.database_url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


async def counted(stack: Stack, metric: str) -> list[float]:
    async with redis.asyncio.Redis.from_url(stack.endpoints.redis_url) as store:
        series = f"ts:{{checkout:new-checkout}}:{metric}"  # as the version that wrote the folder named it
        found = await store.execute_command("TS.RANGE", series, "-", "+")  # type: ignore[no-untyped-call] # redis-py has no types for modules
        return [value for _, value in found]


async def test_the_counts_of_a_redis_7_4_are_read_and_kept(folder: Path) -> None:
    (folder / "state.json").write_text("{}")
    shutil.copytree(REDIS_7_4, folder / "redis" / "appendonlydir")
    for _ in range(2):
        async with embedded_servers(folder) as stack:
            assert (await counted(stack, "success"), await counted(stack, "failure")) == ([37], [5])
            async with redis.asyncio.Redis.from_url(stack.endpoints.redis_url) as store:
                await store.bgrewriteaof()
                async with asyncio.timeout(20):
                    while (await store.info("persistence"))["aof_rewrite_in_progress"]:
                        await asyncio.sleep(0.02)


# As Tower's schema may have it: each kind of thing that has an owner.
TABLES = """
CREATE SCHEMA extra;
CREATE TYPE colour AS ENUM ('blue', 'green');
CREATE DOMAIN extra.share AS real CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE pair AS (one int, other text);
CREATE TABLE flags (id serial PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, colour colour, share extra.share);
CREATE INDEX by_colour ON flags (colour);
CREATE SEQUENCE alone;
CREATE VIEW blue AS SELECT * FROM flags WHERE colour = 'blue';
CREATE MATERIALIZED VIEW extra.kept AS SELECT * FROM flags;
CREATE FUNCTION one(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
INSERT INTO flags (colour, share) VALUES ('blue', 5);
"""
STILL_THE_SUPERUSERS = """
SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE nspname IN ('public', 'extra') AND pg_get_userbyid(relowner) <> 'tower'
UNION ALL SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE nspname IN ('public', 'extra') AND pg_get_userbyid(proowner) <> 'tower'
UNION ALL SELECT typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE nspname IN ('public', 'extra') AND pg_get_userbyid(typowner) <> 'tower'
UNION ALL SELECT nspname FROM pg_namespace
 WHERE nspname IN ('public', 'extra') AND pg_get_userbyid(nspowner) <> 'tower'
"""


async def make_as_before(folder: Path) -> None:
    """Make a folder as earlier versions left it: the superuser owns all of it, as root `nobody` owns the files."""
    async with embedded_servers(folder) as stack, superuser(stack) as connection:
        await connection.execute("ALTER DATABASE tailslide OWNER TO tailslide; REASSIGN OWNED BY tower TO tailslide")
        await connection.execute("DROP OWNED BY tower; DROP ROLE tower; GRANT ALL ON DATABASE tailslide TO PUBLIC")
        await connection.execute("ALTER SCHEMA public OWNER TO pg_database_owner")
        await connection.execute(TABLES)
    for lock in ("lock", "servers.lock"):
        (folder / lock).chmod(0o644)
    if os.geteuid() == 0:
        for name, owner in (("nats", 0), ("redis", 0), ("postgres", NOBODY)):
            for path in (folder / name, *(folder / name).rglob("*")):
                os.chown(path, owner, owner)
        (folder / "state.json").unlink()


async def test_the_database_of_an_earlier_version_is_towers_afterwards(folder: Path) -> None:
    await make_as_before(folder)
    async with embedded_servers(folder) as stack:
        async with superuser(stack) as connection:
            assert await connection.fetch(STILL_THE_SUPERUSERS) == []
        async with tower(stack) as connection:
            assert await connection.fetchval("SELECT share FROM flags") == 5
            # What a migration does.
            await connection.execute("ALTER TABLE flags ADD COLUMN name text; ALTER TYPE colour ADD VALUE 'red'")
            await connection.execute("DROP SCHEMA extra CASCADE; DROP FUNCTION one(int, text)")
        for lock in ("lock", "servers.lock"):
            assert (folder / lock).stat().st_mode & 0o077 == 0
        if os.geteuid() == 0:
            owners = {name: (folder / name).stat().st_uid for name in ("nats", "redis", "postgres")}
            assert not {0, NOBODY}.intersection(owners.values())
            for name, owner in owners.items():
                made = [path for path in (folder / name).rglob("*") if path.suffix != ".conf"]
                assert {path.stat().st_uid for path in made} == {owner}, name


async def test_the_streams_of_a_nats_without_accounts_are_read_and_kept(folder: Path) -> None:
    async with embedded_servers(folder) as stack:
        client = await nats.connect(stack.endpoints.nats_url)
        await (await client.jetstream().create_key_value(bucket="rulesets")).put("shop.one", b"value")
        await client.close()
    jetstream = folder / "nats" / "jetstream"
    (jetstream / "TS").rename(jetstream / "$G")  # as a server without accounts names it
    for _ in range(2):
        async with embedded_servers(folder) as stack:
            client = await nats.connect(stack.endpoints.nats_url)
            bucket = await client.jetstream().key_value("rulesets")
            assert (await bucket.get("shop.one")).value == b"value"
            await client.close()
    assert not (jetstream / "$G").exists()
