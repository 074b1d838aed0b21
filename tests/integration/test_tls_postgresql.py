"""PostgreSQL over TLS: a front speaks it, since the embedded server cannot, and the real one is behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from authorities import WRONG, Authority, replace, wrong
from real_servers import RealServers
from structlog.testing import capture_logs
from tls_servers import Front, front

from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.database import Database, DatabaseUnavailableError


def place_of(servers: RealServers) -> str:
    return servers.superuser_url.rpartition("@")[2].partition("/")[0]


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def postgres(running_servers: RealServers, tmp_path: Path, authority: Authority) -> AsyncIterator[Front]:
    host, _, port = place_of(running_servers).rpartition(":")
    authority.write(tmp_path / "ca.pem")
    async with front(host, int(port), authority.issue().write(tmp_path, "front"), postgres=True) as running:
        yield running


def url_at(servers: RealServers, port: int, options: str) -> DatabaseUrl:
    return DatabaseUrl.parse(f"{servers.superuser_url.replace(place_of(servers), f'localhost:{port}')}?{options}")


@asynccontextmanager
async def database_at(url: DatabaseUrl) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def asked(database: Database) -> int | None:
    async with database.begin() as connection:
        answer: int | None = await connection.scalar(sa.text("SELECT 1"))
        return answer


async def problem_of(url: DatabaseUrl) -> str:
    async with database_at(url) as database:
        with pytest.raises(DatabaseUnavailableError) as error:
            await asked(database)
        return str(error.value)


def verifying(folder: Path, mode: str = "verify-full") -> str:
    return f"sslmode={mode}&sslrootcert={folder / 'ca.pem'}"


async def test_database_is_used_over_tls(postgres: Front, running_servers: RealServers, tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with database_at(url_at(running_servers, postgres.port, verifying(tmp_path))) as database:
            assert await asked(database) == 1
    assert (postgres.accepted, logs) == (1, [])


@pytest.mark.parametrize("kind", WRONG)
async def test_wrong_certificate_is_refused(
    postgres: Front, running_servers: RealServers, tmp_path: Path, authority: Authority, kind: str
) -> None:
    postgres.use(wrong(kind, authority).write(tmp_path, "wrong"))
    assert WRONG[kind] in await problem_of(url_at(running_servers, postgres.port, verifying(tmp_path)))


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_plain_server_is_refused(
    postgres: Front, running_servers: RealServers, tmp_path: Path, mode: str
) -> None:
    plain = int(place_of(running_servers).rpartition(":")[2])
    problem = await problem_of(url_at(running_servers, plain, verifying(tmp_path, mode)))
    assert "rejected SSL upgrade" in problem


async def test_server_that_asks_for_a_certificate_gets_one(
    postgres: Front, running_servers: RealServers, tmp_path: Path, authority: Authority
) -> None:
    own = authority.issue(["client"]).write(tmp_path, "client")
    postgres.use(authority.issue().write(tmp_path, "front"), tmp_path / "ca.pem")
    shown = f"{verifying(tmp_path)}&sslcert={own.certificate}&sslkey={own.key}"
    async with database_at(url_at(running_servers, postgres.port, shown)) as database:
        assert await asked(database) == 1
    await problem_of(url_at(running_servers, postgres.port, verifying(tmp_path)))


async def test_next_connection_has_the_renewed_files(
    postgres: Front, running_servers: RealServers, tmp_path: Path
) -> None:
    async with database_at(url_at(running_servers, postgres.port, verifying(tmp_path))) as database:
        assert await asked(database) == 1
        new = Authority("New Authority")
        new.write(tmp_path / "ca.pem")
        postgres.use(new.issue().write(tmp_path, "front"))
        await postgres.drop_connections()
        assert await asked(database) == 1
    assert postgres.accepted == 2


async def test_file_that_cannot_be_used_is_named_at_the_start(
    postgres: Front, running_servers: RealServers, tmp_path: Path
) -> None:
    replace(tmp_path / "ca.pem", b"text")
    async with database_at(url_at(running_servers, postgres.port, verifying(tmp_path))) as database:
        with pytest.raises(StartError) as error:
            await database.prepare()
    assert str(error.value) == (
        f"TAILSLIDE_DATABASE_URL: sslrootcert: expected certificates as PEM in {tmp_path / 'ca.pem'}, found none"
    )


async def test_file_that_is_broken_later_is_named(
    postgres: Front, running_servers: RealServers, tmp_path: Path, authority: Authority
) -> None:
    async with database_at(url_at(running_servers, postgres.port, verifying(tmp_path))) as database:
        assert await asked(database) == 1
        (tmp_path / "ca.pem").unlink()
        assert await asked(database) == 1  # over the connection that is there
        await postgres.drop_connections()
        with pytest.raises(DatabaseUnavailableError, match=r"sslrootcert: .*ca\.pem cannot be read \(No such file"):
            await asked(database)
        authority.write(tmp_path / "ca.pem")
        assert await asked(database) == 1


@pytest.mark.parametrize(("options", "unverified"), [("sslmode=require", "certificate"), ("sslmode=verify-ca", "name")])
async def test_what_is_not_verified_is_warned_of(
    postgres: Front, running_servers: RealServers, tmp_path: Path, options: str, unverified: str
) -> None:
    more = f"&sslrootcert={tmp_path / 'ca.pem'}" if "verify" in options else ""
    database = Database(url_at(running_servers, postgres.port, options + more))
    with capture_logs() as logs:
        database._look_at_tls()  # without changing the schema of the servers that all share
    await database.close()
    assert [(log["event"], log["unverified"]) for log in logs] == [("tls_not_verified", unverified)]
