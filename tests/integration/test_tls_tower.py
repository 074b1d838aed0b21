"""Tower over https, as a process: the command line, browsers' cookies and the live socket, and renewed certificates."""

import asyncio
import io
import os
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from authorities import DAY, WRONG, Authority, Files, now, replace, wrong
from cryptography import x509
from real_servers import RealServers
from tls_servers import front, nats_with_tls
from tower_bench import TOKEN, TowerBench, until

from tailslide_embedded.addresses import any_free_port
from tailslide_runtime.server_urls import RedisUrl

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"


@dataclass
class Scene:
    """A Tower that serves https, and what its clients trust."""

    folder: Path
    authority: Authority
    files: Files
    port: int = field(default_factory=any_free_port)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def environment(self) -> dict[str, str]:
        return {"TAILSLIDE_TLS_CERT_FILE": str(self.files.certificate), "TAILSLIDE_TLS_KEY_FILE": str(self.files.key)}

    def session(self) -> aiohttp.ClientSession:
        context = ssl.create_default_context(cafile=self.ca)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=1))

    async def serial(self) -> int | None:
        """Return which certificate Tower presents to a new connection; None when there is none."""
        context = ssl.create_default_context(cafile=self.ca)
        try:
            _, writer = await asyncio.open_connection("localhost", self.port, ssl=context)
        except OSError:
            return None
        presented = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(presented).serial_number

    async def until_presented(self, serial: int) -> None:
        async def presented() -> bool:
            return await self.serial() == serial

        await until(presented)

    async def command(self, *arguments: str, **more: str) -> tuple[int, str, str]:
        """Run a command of `tailslide` against this Tower; return its status and what it said."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
        own = {"XDG_CONFIG_HOME": str(self.folder / "config"), "TAILSLIDE_TOWER_URL": self.url}
        own |= {"TAILSLIDE_API_TOKEN": TOKEN, "TAILSLIDE_TOWER_CA_FILE": str(self.ca)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tailslide_embedded", *arguments),
            env={**inherited, **own, **more},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    authority = Authority()
    authority.write(tmp_path / "ca.pem")
    return Scene(tmp_path, authority, Files(tmp_path / "tower.pem", tmp_path / "tower.key"))


@asynccontextmanager
async def serving(bench: TowerBench, scene: Scene, more: Mapping[str, str] | None = None) -> AsyncIterator[None]:
    """Run a Tower with the certificate that is there, and wait until it answers."""
    async with bench.process_at(f"127.0.0.1:{scene.port}", {**scene.environment, **(more or {})}):

        async def answers() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", scene.port)
            except OSError:
                return False
            writer.close()
            return True

        await until(answers)
        yield


async def test_commands_and_the_live_socket_work_over_https(bench: TowerBench, scene: Scene) -> None:
    scene.authority.issue().write(scene.folder, "tower")
    async with serving(bench, scene):
        status, _, errors = await scene.command("status")
        assert (status, errors) == (0, "")
        async with scene.session() as session:
            auth = {"Authorization": f"Bearer {TOKEN}"}
            origin = {"Origin": scene.url}
            async with session.ws_connect(f"{scene.url}/api/v1/live", headers=auth | origin) as socket:
                await socket.send_json({"subscribe": {"log": True}})
                assert (await socket.receive_json(timeout=10))["type"]
            foreign = {"Origin": "https://other.example"}
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{scene.url}/api/v1/live", headers=auth | foreign)
            assert refused.value.status == 403


async def test_cookie_is_secure_over_https(bench: TowerBench, scene: Scene) -> None:
    scene.authority.issue().write(scene.folder, "tower")
    admin = {"TAILSLIDE_ADMIN_EMAIL": EMAIL, "TAILSLIDE_ADMIN_PASSWORD": PASSWORD}
    async with (
        serving(bench, scene, admin),
        scene.session() as session,
        session.post(f"{scene.url}/api/v1/session", json={"email": EMAIL, "password": PASSWORD}) as answer,
    ):
        assert answer.status == 201, await answer.text()
        cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-tailslide_session=")
    assert "; Secure" in cookie


@pytest.mark.parametrize("kind", WRONG)
async def test_command_refuses_a_wrong_certificate(bench: TowerBench, scene: Scene, kind: str) -> None:
    wrong(kind, scene.authority).write(scene.folder, "tower")
    async with serving(bench, scene):
        status, output, errors = await scene.command("status")
    assert (status, output) == (1, "")
    assert f"the certificate of Tower at {scene.url} is not accepted: {WRONG[kind]}" in " ".join(errors.split())
    assert "TAILSLIDE_TOWER_CA_FILE" in errors


async def test_command_names_a_file_that_cannot_be_used(scene: Scene) -> None:
    replace(scene.ca, b"text")
    status, _, errors = await scene.command("status")
    assert status == 1
    assert f"TAILSLIDE_TOWER_CA_FILE: expected certificates as PEM in {scene.ca}, found none" in errors


async def test_plain_request_gets_no_answer(bench: TowerBench, scene: Scene) -> None:
    scene.authority.issue().write(scene.folder, "tower")
    async with serving(bench, scene):
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(10):
            said = await reader.read()
        writer.close()
        assert not said.startswith(b"HTTP/")
        status, _, errors = await scene.command("status", TAILSLIDE_TOWER_URL=scene.url.replace("https", "http"))
        assert status == 1
        assert "cannot be reached" in errors


async def test_refusal_is_read_over_https(bench: TowerBench, scene: Scene) -> None:
    """The client gets its answer although the rest of what it sends is not wanted."""
    scene.authority.issue().write(scene.folder, "tower")
    async with serving(bench, scene), scene.session() as session:
        for _ in range(2):  # the next request, on another connection, finds everything in order
            url = f"{scene.url}/api/v1/apps"
            body = io.BytesIO(b"x" * 3_000_000)
            async with session.post(url, data=body, headers={"Content-Type": "text/plain"}) as answer:
                assert answer.status == 413
                assert (await answer.json(content_type=None))["code"] == "BODY_TOO_LARGE"


async def test_renewed_certificate_is_presented_without_a_restart(bench: TowerBench, scene: Scene) -> None:
    first = scene.authority.issue()
    first.write(scene.folder, "tower")
    async with serving(bench, scene), scene.session() as session:
        await scene.until_presented(first.serial)
        async with session.get(f"{scene.url}/healthz") as answer:
            assert answer.status == 200
        second = scene.authority.issue()
        second.write(scene.folder, "tower")
        await scene.until_presented(second.serial)
        async with session.get(f"{scene.url}/healthz") as answer:  # over the connection that was there before
            assert answer.status == 200
        replace(scene.files.key, b"text")
        third = scene.authority.issue(ends=now() + 5 * DAY)
        replace(scene.files.certificate, third.certificate)
        looked = scene.files.certificate.stat().st_mtime_ns

        async def metrics() -> str:
            async with session.get(f"{scene.url}/metrics") as answer:
                return await answer.text()

        assert "tailslide_tower_http_certificate_expires_timestamp_seconds" in await metrics()
        assert await scene.serial() == second.serial
        replace(scene.files.key, third.key)
        assert scene.files.certificate.stat().st_mtime_ns == looked
        await scene.until_presented(third.serial)
        expires = (now() + 5 * DAY).timestamp()
        told = next(line for line in (await metrics()).splitlines() if line.startswith("tailslide_tower_http_certif"))
        assert abs(float(told.rpartition(" ")[2]) - expires) < 120


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"TAILSLIDE_TLS_KEY_FILE": ""}, "TAILSLIDE_TLS_CERT_FILE and TAILSLIDE_TLS_KEY_FILE belong together"),
        ({"TAILSLIDE_TLS_CERT_FILE": "/nowhere/tower.pem"}, "TAILSLIDE_TLS_CERT_FILE: /nowhere/tower.pem cannot be"),
        ({"TAILSLIDE_TOWER_URL": "http://tower.example"}, "TAILSLIDE_TOWER_URL: expected https://"),
        ({"TAILSLIDE_TOWER_LISTEN": "unix:/tmp/tower.sock"}, "got a unix socket"),
    ],
)
async def test_settings_that_cannot_be_used_end_the_start(
    bench: TowerBench, scene: Scene, more: dict[str, str], problem: str
) -> None:
    scene.authority.issue().write(scene.folder, "tower")
    listen = {"TAILSLIDE_TOWER_LISTEN": f"127.0.0.1:{scene.port}"}
    status, said = await bench.run_process({**scene.environment, **listen, **more})
    assert status == 1
    assert problem in said
    assert "Traceback" not in said


async def test_all_four_connections_go_over_tls(bench: TowerBench, scene: Scene, own_servers: RealServers) -> None:
    scene.authority.issue().write(scene.folder, "tower")
    own = scene.authority.issue(["tower"]).write(scene.folder, "client")
    fronted = scene.authority.issue().write(scene.folder, "front")
    database = bench.database_url.rpartition("@")[2].partition("/")[0]
    redis = str(RedisUrl.parse(bench.redis_url)).partition("://")[2].partition("/")[0]
    (scene.folder / "nats").mkdir()
    async with (
        nats_with_tls(scene.folder / "nats", scene.authority, scene.authority.issue()) as nats,
        front("127.0.0.1", int(database.rpartition(":")[2]), fronted, postgres=True) as postgres_front,
        front("127.0.0.1", int(redis.rpartition(":")[2]), fronted) as redis_front,
    ):
        for each in (postgres_front, redis_front):
            each.use(fronted, scene.ca)
        verified = f"sslmode=verify-full&sslrootcert={scene.ca}&sslcert={own.certificate}&sslkey={own.key}"
        secure = bench.redis_url.replace("redis://", "rediss://")
        more = {
            "TAILSLIDE_DATABASE_URL": f"{bench.database_url.replace(database, f'localhost:{postgres_front.port}')}"
            f"?{verified}",
            "TAILSLIDE_NATS_URL": nats.url,
            "TAILSLIDE_REDIS_URL": secure.replace(redis, f"localhost:{redis_front.port}"),
        }
        for server in ("NATS", "REDIS"):
            more |= {
                f"TAILSLIDE_{server}_CA_FILE": str(scene.ca),
                f"TAILSLIDE_{server}_CERT_FILE": str(own.certificate),
            }
            more |= {f"TAILSLIDE_{server}_KEY_FILE": str(own.key)}
        async with serving(bench, scene, more), scene.session() as session:

            async def published() -> bool:
                async with session.get(f"{scene.url}/readyz") as answer:
                    return answer.status == 200 and bool((await answer.json())["published"])

            await until(published)
            auth = {"Authorization": f"Bearer {TOKEN}"}
            for path, body in (("/apps", {"key": "shop"}), ("/apps/shop/keys", {"name": "first"})):
                async with session.post(f"{scene.url}/api/v1{path}", json=body, headers=auth) as answer:
                    assert answer.status == 201

            async def through_redis() -> bool:  # where the key's user is set
                return redis_front.accepted > 0

            await until(through_redis)
        assert postgres_front.accepted > 0
        before = redis_front.accepted
        async with judging(more) as ready:
            await until(ready)
        assert redis_front.accepted > before


@asynccontextmanager
async def judging(settings: Mapping[str, str]) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Run an Aerobat as a process; yield what asks it whether it can judge circuits."""
    port = any_free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tailslide_aerobat.main"),
        env={**inherited, **settings, "TAILSLIDE_AEROBAT_LISTEN": f"127.0.0.1:{port}"},
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def ready() -> bool:
        assert process.returncode is None
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    try:
        yield ready
    finally:
        process.terminate()
        await process.wait()
