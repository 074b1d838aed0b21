"""The embedded servers as real processes: they keep their data, are watched, and are never left behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import nats
import pytest
import redis.asyncio
import redis.exceptions
from real_servers import processes_on, temporary_folder

from tailslide_embedded import wheels
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.processes import Child, ProcessSpec
from tailslide_embedded.stack import Endpoints, embedded_servers
from tailslide_runtime.errors import StartError

KEYS = ("nats", "redis", "postgres")
NAMES = {"nats": "NATS", "redis": "Redis", "postgres": "PostgreSQL"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


def program_of(child: Child) -> Path:
    return Path(f"/proc/{child.pid}/exe").readlink()


def command_line_of(child: Child) -> str:
    return Path(f"/proc/{child.pid}/cmdline").read_text()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def database(endpoints: Endpoints) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(endpoints.database_url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


async def ts(store: redis.asyncio.Redis, *words: str | int) -> object:
    return await store.execute_command(*words)  # type: ignore[no-untyped-call] # redis-py has no types for modules


async def write_everywhere(endpoints: Endpoints) -> None:
    client = await nats.connect(endpoints.nats_url)
    bucket = await client.jetstream().create_key_value(bucket="kept")
    await bucket.put("key", b"value")
    await client.close()
    async with redis.asyncio.Redis.from_url(endpoints.redis_url) as store:
        await ts(store, "TS.CREATE", "kept", "DUPLICATE_POLICY", "SUM")
        await ts(store, "TS.MADD", "kept", 1000, 3, "kept", 1000, 4)
        # On a busy disk the file is up to two seconds behind what was answered.
        assert await ts(store, "WAITAOF", 1, 0, 10_000) == [1, 0]
    async with database(endpoints) as connection:
        await connection.execute("CREATE TABLE kept (value text)")
        await connection.execute("INSERT INTO kept VALUES ('é ✓')")


async def assert_kept(endpoints: Endpoints) -> None:
    client = await nats.connect(endpoints.nats_url)
    bucket = await client.jetstream().key_value("kept")
    assert (await bucket.get("key")).value == b"value"
    await client.close()
    async with redis.asyncio.Redis.from_url(endpoints.redis_url) as store:
        assert await ts(store, "TS.RANGE", "kept", "-", "+") == [[1000, 7.0]]
    async with database(endpoints) as connection:
        assert await connection.fetchval("SELECT value FROM kept") == "é ✓"


async def test_a_second_start_carries_on_at_the_same_addresses(folder: Path) -> None:
    async with embedded_servers(folder) as stack:
        first = stack.endpoints
        await write_everywhere(first)
    assert processes_on(folder) == set()
    # As after a crash of the machine: the process id is that of some other program by now.
    (folder / "postgres" / "cluster" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n")
    async with embedded_servers(folder) as stack:
        assert stack.endpoints == first
        assert stack.endpoints.embedded == frozenset(KEYS)
        await assert_kept(first)
    assert processes_on(folder) == set()


async def test_a_killed_server_is_reported_by_name_and_can_start_again_with_its_data(folder: Path) -> None:
    async with embedded_servers(folder) as stack:
        await write_everywhere(stack.endpoints)
        for key in KEYS:
            child = stack.children[key]
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            ended = await stack.first_exit()
            assert ended.name == NAMES[key]
            assert ended.status == -signal.SIGKILL
            assert str(ended).startswith(f"{NAMES[key]} ended unexpectedly: killed by SIGKILL; its log ends with\n")
            await child.start()
        await assert_kept(stack.endpoints)
    await until(lambda: processes_on(folder) == set())


async def test_secrets_are_for_the_owner_alone_and_not_on_command_lines(folder: Path) -> None:
    async with embedded_servers(folder) as stack:
        secrets = (folder / "secrets.json").read_text()
        for private in ("secrets.json", "state.json", "lock", "servers.lock", "postgres.lock", "logs/nats.log"):
            assert (folder / private).stat().st_mode & 0o077 == 0, private
        for read_by_its_server in ("nats/nats.conf", "redis/redis.conf"):
            status = (folder / read_by_its_server).stat()
            assert status.st_mode & 0o037 == 0, read_by_its_server
            assert status.st_gid == (folder / read_by_its_server).parent.stat().st_gid
        for inner in ("nats", "redis", "postgres", "logs"):
            assert (folder / inner).stat().st_mode & 0o077 == 0, inner
        for child in stack.children.values():
            assert not any(secret in command_line_of(child) for secret in secrets.split('"')[3::4])
        assert [path.name for path in (folder / "postgres").iterdir()] == ["cluster"]


async def test_without_the_credentials_nobody_gets_in(servers: Endpoints) -> None:
    for url, variable in (
        (servers.nats_url.replace("nats://", "nats://x"), "TAILSLIDE_NATS_URL"),
        (servers.redis_url.replace("redis://:", "redis://:x"), "TAILSLIDE_REDIS_URL"),
        (servers.database_url.replace("tower:", "tower:x"), "TAILSLIDE_DATABASE_URL"),
    ):
        with temporary_folder() as folder:
            with pytest.raises(StartError, match=variable):
                async with embedded_servers(folder, environ={variable: url}):
                    pass
            assert processes_on(folder) == set()


async def test_urls_of_ones_own_replace_the_embedded_servers(folder: Path, servers: Endpoints) -> None:
    environ = servers.environment()
    environ["TAILSLIDE_DATABASE_URL"] = servers.database_url.replace("+asyncpg", "")
    async with embedded_servers(folder, environ=environ) as stack:
        assert stack.endpoints == replace(servers, embedded=frozenset(), nats_access=None, sdk_keys=False)
        assert stack.children == {}


async def test_the_pages_name_the_programs_that_run(servers: Endpoints) -> None:
    client = await nats.connect(servers.nats_url)
    nats_version = client.connected_server_version
    await client.close()
    async with redis.asyncio.Redis.from_url(servers.redis_url) as store:
        valkey = (await store.info("server"))["valkey_version"].rpartition(".")[0]
        modules = await store.module_list()
        (number,) = [module[b"ver"] for module in modules if module[b"name"] == b"timeseries"]
    async with database(servers) as connection:
        postgres = await connection.fetchval("SHOW server_version")
    timeseries = f"{number // 10000}.{number // 100 % 100}"
    for page in ("embedded.md", "licences.md"):
        text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
        for program in (f"{nats_version.major}.{nats_version.minor}", f"Valkey {valkey}", f"PostgreSQL {postgres}"):
            assert program in text, page
        assert timeseries in text, page


async def test_a_client_that_never_reads_does_not_make_redis_grow(servers: Endpoints) -> None:
    """Twenty of them, without the password, as long as the server takes what they send, at most 20 MB each."""
    async with redis.asyncio.Redis.from_url(servers.redis_url) as store:
        before = (await store.info("memory"))["used_memory"]
        port = store.connection_pool.connection_kwargs["port"]
        sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        try:
            for one in sockets:
                one.setblocking(False)
            for _ in range(100):
                for one in sockets:
                    with contextlib.suppress(OSError):  # full, or closed by the server
                        one.send(b"*1\r\n$4\r\nPING\r\n" * 15_000)
                assert (await store.info("memory"))["used_memory"] < before + 16_000_000
        finally:
            for one in sockets:
                one.close()


@pytest.mark.parametrize("words", [("REPLICAOF", "127.0.0.1", "1"), ("CONFIG", "SET", "dir", "/"), ("SHUTDOWN",)])
async def test_redis_refuses_what_would_replace_or_move_its_data(words: tuple[str, ...], servers: Endpoints) -> None:
    async with redis.asyncio.Redis.from_url(servers.redis_url) as store:
        with pytest.raises(redis.exceptions.ResponseError):
            await ts(store, *words)


@pytest.mark.parametrize(
    ("variable", "scheme"),
    [
        ("TAILSLIDE_NATS_URL", "nats"),
        ("TAILSLIDE_REDIS_URL", "redis"),
        ("TAILSLIDE_DATABASE_URL", "postgresql"),
    ],
)
async def test_an_unreachable_url_is_one_sentence_with_its_variable_and_address(
    folder: Path, variable: str, scheme: str
) -> None:
    address = f"127.0.0.1:{any_free_port()}"
    with pytest.raises(StartError) as error:
        async with embedded_servers(folder, environ={variable: f"{scheme}://user:geheim@{address}"}):
            pass
    sentence = str(error.value)
    assert sentence.startswith(f"{variable}: ")
    assert address in sentence
    assert "Connection refused" in sentence
    assert "geheim" not in sentence
    assert "\n" not in sentence
    assert processes_on(folder) == set()


async def test_a_redis_without_time_series_is_refused(folder: Path) -> None:
    port = any_free_port()
    plain = Child(
        ProcessSpec(
            name="Redis",
            argv=(str(wheels.redis().server), "--bind", "127.0.0.1", "--port", str(port), "--save", ""),
            env={},
            cwd=folder,
            log=folder / "plain.log",
            address=f"127.0.0.1:{port}",
            ready=lambda: ping(port),
        )
    )
    await plain.start()
    try:
        with pytest.raises(StartError, match=f"TAILSLIDE_REDIS_URL: .*127.0.0.1:{port}.*no RedisTimeSeries"):
            async with embedded_servers(folder / "data", environ={"TAILSLIDE_REDIS_URL": f"redis://127.0.0.1:{port}"}):
                pass
    finally:
        await plain.stop()


async def ping(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return


@pytest.mark.parametrize("key", KEYS)
async def test_a_given_port_in_use_is_one_sentence_with_its_option_and_address(folder: Path, key: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = {f"{key}_port": port}
        with pytest.raises(StartError) as error:
            async with embedded_servers(folder, **ports):
                pass
    assert str(error.value).startswith(f"--{key}-port: 127.0.0.1:{port} is in use")


async def test_a_remembered_port_in_use_gives_way_and_a_given_one_is_taken(folder: Path) -> None:
    given = any_free_port()
    async with embedded_servers(folder, redis_port=given) as stack:
        first = stack.endpoints
    assert f"127.0.0.1:{given}/" in first.redis_url
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", given))
        other.listen()
        async with embedded_servers(folder) as stack:
            assert stack.endpoints.nats_url == first.nats_url
            assert stack.endpoints.redis_url != first.redis_url


async def test_a_folder_in_use_is_refused_with_the_process_that_holds_it(folder: Path) -> None:
    async with embedded_servers(folder) as stack:
        with pytest.raises(StartError, match=f"{folder} is in use by process {os.getpid()};"):
            async with embedded_servers(folder):
                pass
        assert stack.children["nats"].pid is not None


async def test_a_server_that_cannot_start_is_reported_with_its_log_and_the_others_are_stopped(folder: Path) -> None:
    async with embedded_servers(folder):
        pass
    (folder / "postgres" / "cluster" / "PG_VERSION").write_text("9\n")
    with pytest.raises(StartError) as error:
        async with embedded_servers(folder):
            pass
    sentence, *log = str(error.value).splitlines()
    assert sentence.startswith("PostgreSQL ended before it was ready at 127.0.0.1:")
    assert any("incompatible" in line for line in log)
    assert processes_on(folder) == set()


async def test_lost_secrets_are_one_sentence(folder: Path) -> None:
    async with embedded_servers(folder):
        pass
    (folder / "secrets.json").unlink()
    with pytest.raises(StartError, match=r"another password than the one in secrets\.json"):
        async with embedded_servers(folder):
            pass
    assert processes_on(folder) == set()


async def test_an_unfinished_cluster_is_made_anew(folder: Path) -> None:
    (folder / "state.json").write_text("{}")
    (folder / "postgres" / "cluster.unfinished" / "base").mkdir(parents=True)
    async with embedded_servers(folder) as stack, database(stack.endpoints) as connection:
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as other users")
async def test_programs_out_of_reach_of_the_other_user_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = wheels.postgres()
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    package = files.install.parent.name
    shutil.copytree(files.install, closed / package / "pginstall", symlinks=True)
    shutil.copytree(files.libraries, closed / files.libraries.name, symlinks=True)
    moved = replace(files, install=closed / package / "pginstall", libraries=closed / files.libraries.name)
    monkeypatch.setattr(wheels, "postgres", lambda: moved)
    nats_server = Path(shutil.copy2(wheels.nats_server(), closed))
    monkeypatch.setattr(wheels, "nats_server", lambda: nats_server)
    valkey = replace(wheels.redis(), server=Path(shutil.copy2(wheels.redis().server, closed)))
    monkeypatch.setattr(wheels, "redis", lambda: valkey)
    programs = folder / "data" / "programs"
    for _ in range(2):
        async with embedded_servers(folder / "data") as stack, database(stack.endpoints) as connection:
            assert await connection.fetchval("SELECT 1") == 1
            assert program_of(stack.children["postgres"]).is_relative_to(programs / f"postgres-{files.version}")
            assert program_of(stack.children["nats"]).is_relative_to(programs)
            assert program_of(stack.children["redis"]).is_relative_to(programs)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as other users")
async def test_a_data_folder_out_of_reach_of_the_other_user_is_one_sentence(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(StartError, match=f"cannot enter {closed}: choose a --data-dir elsewhere"):
        async with embedded_servers(closed / "data"):
            pass


SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from tailslide_embedded.stack import embedded_servers

async def main():
    async with embedded_servers(Path(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
async def test_kill_9_of_the_supervisor_leaves_nothing_and_the_next_start_waits_for_that(folder: Path) -> None:
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    async with asyncio.timeout(60):
        assert await supervisor.stdout.readline() == b"ready\n"
    left = processes_on(folder)
    assert len(left) > len(KEYS)  # PostgreSQL has children of its own
    supervisor.kill()
    async with embedded_servers(folder):
        assert left & processes_on(folder) == set()
    await supervisor.wait()
    assert processes_on(folder) == set()
