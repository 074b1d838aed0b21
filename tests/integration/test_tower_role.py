"""The role that Tower uses in the embedded PostgreSQL owns its one database, and leads nowhere else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tailslide_embedded.stack import Endpoints


@asynccontextmanager
async def tower(servers: Endpoints) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(servers.database_url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY pg_temp.lines FROM PROGRAM 'true'",
        "COPY pg_temp.lines FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/written'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT rolpassword FROM pg_authid",
        "SET ROLE tailslide",
        "ALTER ROLE tower SUPERUSER",
        "CREATE ROLE another",
        "CREATE DATABASE another",
        "ALTER SYSTEM SET port = 1",
        "LOAD '/tmp/library.so'",
        "CREATE EXTENSION vector",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/tmp/library.so'",
    ],
)
async def test_towers_role_is_refused_what_leads_out_of_its_database(statement: str, servers: Endpoints) -> None:
    async with tower(servers) as connection:
        await connection.execute("CREATE TEMPORARY TABLE lines (line text)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_towers_role_enters_no_other_database(servers: Endpoints) -> None:
    for database in ("postgres", "template1"):
        url = servers.database_url.replace("+asyncpg", "").replace("/tailslide", f"/{database}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(url)
