"""Credentials with every awkward character, through real servers: what a URL says is what lets us in."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from nats.aio.client import Client
from real_servers import RealServers
from redis.asyncio import Redis

from tailslide_embedded import wheels
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.jetstream import Link
from tailslide_runtime.server_urls import DatabaseUrl, NatsUrl, RedisUrl

PASSWORD = "p@:/?#%,é +x;&="
WRITTEN = [quote(PASSWORD, safe=""), quote(PASSWORD, safe="@:,+;&=")]
"""All characters encoded, and as few as may be."""


@pytest.fixture
def user() -> str:
    return f"we@ird/{secrets.token_hex(4)}"


@pytest.mark.parametrize("password", WRITTEN)
async def test_postgresql_lets_us_in(running_servers: RealServers, user: str, password: str) -> None:
    own = DatabaseUrl.parse(running_servers.superuser_url)
    place = str(own).partition("://")[2].partition("/")[0]
    admin = await asyncpg.connect(**own.connect_options())
    try:
        await admin.execute(f"CREATE ROLE \"{user}\" LOGIN PASSWORD '{PASSWORD}'")
        await admin.execute(f'CREATE DATABASE "{user}" OWNER "{user}"')
        for hosts, options in ((place, "sslmode=disable"), (f"127.0.0.1:1,{place}", "ssl=prefer&application_name=x")):
            name = quote(user, safe="")
            url = DatabaseUrl.parse(f"postgres://{name}:{password}@{hosts}/{name}?{options}")
            connection = await asyncpg.connect(**url.connect_options())
            assert await connection.fetchval("SELECT current_user || current_database()") == user * 2
            await connection.close()
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{user}"')
        await admin.execute(f'DROP ROLE IF EXISTS "{user}"')
        await admin.close()


@pytest.mark.parametrize("password", WRITTEN)
async def test_redis_lets_us_in(servers: Endpoints, user: str, password: str) -> None:
    own = RedisUrl.parse(servers.redis_url)
    async with Redis.from_url(own.with_secrets()) as admin:
        try:
            await admin.execute_command("ACL", "SETUSER", user, "on", f">{PASSWORD}", "+@all")  # type: ignore[no-untyped-call]
            url = RedisUrl.parse(str(own).replace("://", f"://{quote(user, safe='')}:{password}@"))
            async with Redis.from_url(url.with_secrets()) as client:
                assert await client.acl_whoami() == user
        finally:
            await admin.acl_deluser(user)


@asynccontextmanager
async def nats_with_a_password(folder: Path) -> AsyncIterator[str]:
    """Run a NATS server for one user and give its address."""
    address = f"127.0.0.1:{any_free_port()}"
    config = folder / "nats.conf"
    config.write_text(f'listen: "{address}"\nauthorization {{ user: "u", password: "{PASSWORD}" }}\n')
    process = await asyncio.create_subprocess_exec(
        str(wheels.nats_server()), "--config", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield address
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("password", WRITTEN)
async def test_nats_lets_us_in(tmp_path: Path, password: str) -> None:
    async with nats_with_a_password(tmp_path) as address:
        for places in (f"nats://u:{password}@{address}", f"nats://u:{password}@127.0.0.1:1,nats://{address}"):
            served = asyncio.Event()

            async def serve(client: Client, served: asyncio.Event = served) -> None:
                assert client.is_connected
                served.set()

            async with asyncio.timeout(10):
                await Link(NatsUrl.parse(places), "test").run(serve)
            assert served.is_set()
