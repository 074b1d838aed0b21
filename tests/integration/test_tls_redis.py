"""Redis over TLS: a front speaks it, since the embedded Valkey cannot, and the real server is behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from authorities import WRONG, Authority, wrong
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs
from tls_servers import Front, front

from tailslide_embedded.stack import Endpoints
from tailslide_runtime.redis_connections import connection_pool
from tailslide_runtime.server_urls import RedisUrl
from tailslide_runtime.tls import TlsFiles


def place_of(servers: Endpoints) -> tuple[str, int]:
    host, _, port = str(RedisUrl.parse(servers.redis_url)).partition("://")[2].partition("/")[0].rpartition(":")
    return host, int(port)


def url_at(servers: Endpoints, port: int, options: str = "") -> RedisUrl:
    """Return the URL of a port of localhost over TLS, with the credentials of the server behind."""
    host, own = place_of(servers)
    secure = RedisUrl.parse(servers.redis_url).with_secrets().replace("redis://", "rediss://")
    return RedisUrl.parse(f"{secure.replace(f'{host}:{own}', f'localhost:{port}')}{options}")


@asynccontextmanager
async def client_of(url: RedisUrl) -> AsyncIterator[Redis]:
    pool = connection_pool(url, connect_timeout_s=3, answer_timeout_s=5, protocol=2, max_connections=1)
    async with Redis.from_pool(pool) as client:
        yield client


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def redis(servers: Endpoints, tmp_path: Path, authority: Authority) -> AsyncIterator[Front]:
    async with front(*place_of(servers), authority.issue().write(tmp_path, "front")) as running:
        yield running


def trusting(folder: Path, authority: Authority) -> TlsFiles:
    return TlsFiles.read(authority.write(folder / "ca.pem"), None, None, str)


def with_own(folder: Path, authority: Authority) -> TlsFiles:
    own = authority.issue(["client"]).write(folder, "client")
    return TlsFiles.read(authority.write(folder / "ca.pem"), own.certificate, own.key, str)


async def test_files_beside_the_url_and_in_it_do_the_same(
    redis: Front, servers: Endpoints, tmp_path: Path, authority: Authority
) -> None:
    url = url_at(servers, redis.port)
    in_it = url_at(servers, redis.port, f"?ssl_ca_certs={authority.write(tmp_path / 'ca.pem')}")
    for each in (url.with_files(trusting(tmp_path, authority)), in_it, in_it.as_user("nobody", "at all")):
        async with client_of(each) as client:
            assert await client.ping()
    assert redis.accepted == 3


async def test_server_of_the_system_is_not_this_one(redis: Front, servers: Endpoints) -> None:
    async with client_of(url_at(servers, redis.port)) as client:
        with pytest.raises(RedisConnectionError, match="unable to get local issuer certificate"):
            await client.ping()


@pytest.mark.parametrize("kind", WRONG)
async def test_wrong_certificate_is_refused(
    redis: Front, servers: Endpoints, tmp_path: Path, authority: Authority, kind: str
) -> None:
    redis.use(wrong(kind, authority).write(tmp_path, "wrong"))
    async with client_of(url_at(servers, redis.port).with_files(trusting(tmp_path, authority))) as client:
        with pytest.raises(RedisConnectionError, match=WRONG[kind]):
            await client.ping()


async def test_plain_server_is_refused(servers: Endpoints, tmp_path: Path, authority: Authority) -> None:
    url = url_at(servers, place_of(servers)[1]).with_files(trusting(tmp_path, authority))
    async with client_of(url) as client:
        with pytest.raises(RedisConnectionError, match="no answer to its TLS handshake: is it a port for TLS"):
            await client.ping()


async def test_server_that_asks_for_a_certificate_gets_one(
    redis: Front, servers: Endpoints, tmp_path: Path, authority: Authority
) -> None:
    files = with_own(tmp_path, authority)
    redis.use(authority.issue().write(tmp_path, "front"), tmp_path / "ca.pem")
    async with client_of(url_at(servers, redis.port).with_files(files)) as client:
        assert await client.ping()
    async with client_of(url_at(servers, redis.port).with_files(trusting(tmp_path, authority))) as client:
        with pytest.raises(RedisConnectionError):
            await client.ping()


async def test_next_connection_of_a_pool_has_the_renewed_files(
    redis: Front, servers: Endpoints, tmp_path: Path, authority: Authority
) -> None:
    files = with_own(tmp_path, authority)
    redis.use(authority.issue().write(tmp_path, "front"), tmp_path / "ca.pem")
    async with client_of(url_at(servers, redis.port).with_files(files)) as client:
        assert await client.ping()
        new = Authority("New Authority")
        with_own(tmp_path, new)
        redis.use(new.issue().write(tmp_path, "front"), tmp_path / "ca.pem")
        await redis.drop_connections()
        assert await client.ping()
    assert redis.accepted == 2


@pytest.mark.parametrize(
    ("option", "kind", "unverified"),
    [
        ("?ssl_cert_reqs=none", "another authority", "certificate"),
        ("?ssl_check_hostname=false&ssl_ca_certs={ca}", "another name", "name"),
    ],
)
async def test_what_is_not_verified_is_warned_of(
    redis: Front, servers: Endpoints, tmp_path: Path, authority: Authority, option: str, kind: str, unverified: str
) -> None:
    redis.use(wrong(kind, authority).write(tmp_path, "wrong"))
    url = url_at(servers, redis.port, option.format(ca=authority.write(tmp_path / "ca.pem")))
    with capture_logs() as logs:
        async with client_of(url) as client:
            assert await client.ping()
    assert [(log["event"], log["log_level"], log["unverified"]) for log in logs] == [
        ("tls_not_verified", "warning", unverified)
    ]
