"""`tailslide up` on servers of one's own that speak TLS: it reaches them with the files of the settings."""

from pathlib import Path

import pytest
from authorities import Authority
from real_servers import RealServers, temporary_folder
from tls_servers import front, nats_with_tls

from tailslide_embedded.stack import embedded_servers
from tailslide_embedded.up import UpOptions, run_up
from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import RedisUrl


async def test_servers_are_reached_with_the_files(running_servers: RealServers, tmp_path: Path) -> None:
    authority = Authority()
    ca, own = authority.write(tmp_path / "ca.pem"), authority.issue().write(tmp_path, "own")
    endpoints = running_servers.endpoints
    database = endpoints.database_url.rpartition("@")[2].partition("/")[0]
    redis = str(RedisUrl.parse(endpoints.redis_url)).partition("://")[2].partition("/")[0]
    (tmp_path / "nats").mkdir()
    async with (
        nats_with_tls(tmp_path / "nats", authority, authority.issue()) as nats,
        front("127.0.0.1", int(database.rpartition(":")[2]), own, postgres=True) as postgres_front,
        front("127.0.0.1", int(redis.rpartition(":")[2]), own) as redis_front,
    ):
        redis_front.use(own, ca)
        secure = RedisUrl.parse(endpoints.redis_url).with_secrets().replace("redis://", "rediss://")
        environ = {
            "TAILSLIDE_DATABASE_URL": f"{endpoints.database_url.replace(database, f'localhost:{postgres_front.port}')}"
            f"?sslmode=verify-full&sslrootcert={ca}",
            "TAILSLIDE_NATS_URL": nats.url,
            "TAILSLIDE_REDIS_URL": secure.replace(redis, f"localhost:{redis_front.port}"),
        }
        for server in ("NATS", "REDIS"):
            environ[f"TAILSLIDE_{server}_CA_FILE"] = str(ca)
            environ[f"TAILSLIDE_{server}_CERT_FILE"] = str(own.certificate)
            environ[f"TAILSLIDE_{server}_KEY_FILE"] = str(own.key)
        with temporary_folder() as folder:
            async with embedded_servers(folder, environ=environ) as stack:
                assert stack.endpoints.embedded == frozenset()
            for server in ("NATS", "REDIS"):
                other = environ | {f"TAILSLIDE_{server}_CA_FILE": str(Authority("Other").write(tmp_path / "other.pem"))}
                with pytest.raises(StartError, match=f"TAILSLIDE_{server}_URL: .*certificate verify failed"):
                    async with embedded_servers(folder, environ=other):
                        pass
        assert postgres_front.accepted > 0


def test_certificate_for_tower_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="`tailslide up` serves Tower without TLS"):
        run_up(UpOptions(data_dir=tmp_path), {"TAILSLIDE_TLS_CERT_FILE": "/t.pem"})
