"""`tailslide up` as a user has it: one process to start, to ask, to stop, to kill."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from access_clients import secret_of
from real_servers import processes_on, temporary_folder

from tailslide_core.sdk_keys import parse_sdk_key

TAILSLIDE = (sys.executable, "-P", "-m", "tailslide_embedded")
PARTS = {
    "nats-server": "NATS",
    "valkey-server": "Redis",
    "bin/postgres": "PostgreSQL",
    "\0tower\0": "Tower",
    "\0aerobat\0": "Aerobat",
}
"""What `up` starts: a word of the command line, and the name."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def tailslide(*words: str) -> tuple[int, str, str]:
    """Run a command to its end; return its exit status and both outputs."""
    process = await asyncio.create_subprocess_exec(
        *TAILSLIDE, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def up(
    folder: Path,
    program: tuple[str, ...] = TAILSLIDE,
    environ: Mapping[str, str] | None = None,
    output: list[str] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `tailslide up` until the end of the block; it is ready when the block begins.

    `output` gets the lines that it has said by then.
    """
    words = ("up", "--data-dir", str(folder), "--tower-listen", "127.0.0.1:0", "--aerobat-listen", "127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(
        *program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environ
    )
    try:
        lines = await told(process, "Ctrl-C stops everything; the data stays.")
        if output is not None:
            output += lines
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def told(process: asyncio.subprocess.Process, line: str) -> list[str]:
    """Read what it says up to this line; return the lines before."""
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(60):
        while (said := (await process.stdout.readline()).decode()) != f"{line}\n":
            assert said, (await process.communicate())[1].decode()
            lines.append(said.strip())
    return lines


async def settings(folder: Path, *options: str) -> dict[str, str]:
    status, out, err = await tailslide("env", "--data-dir", str(folder), *options)
    assert status == 0, err
    return dict(line.removeprefix("export ").split("=", 1) for line in out.splitlines())


def spoil_cluster(folder: Path) -> None:
    (folder / "postgres" / "cluster" / "PG_VERSION").write_text("9\n")


def sidecar_config(folder: Path) -> Path:
    path = folder / "sidecar.yaml"
    path.write_text("app: checkout\nflags_listen: 127.0.0.1:0\nproxy_listen: 127.0.0.1:0\n")
    return path


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def assert_tower_answers(folder: Path) -> None:
    known = await settings(folder, "--admin")
    headers = {"Authorization": f"Bearer {known['TAILSLIDE_API_TOKEN']}"}
    async with (
        aiohttp.ClientSession(known["TAILSLIDE_TOWER_URL"], headers=headers) as session,
        session.get("/api/v1/apps") as response,
    ):
        assert response.status == 200


def environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def pid_of(folder: Path, word: str) -> int:
    """Return the oldest process on the folder that has this word in its command line."""
    return min(pid for pid in processes_on(folder) if word in command_line(pid))


async def test_it_lets_the_first_admin_into_the_dashboard(folder: Path) -> None:
    links: list[str] = []
    for _ in range(2):  # the first link may have been lost
        output: list[str] = []
        async with up(folder, output=output):
            (address,) = (line.split()[1] for line in output if line.startswith("Dashboard"))
            (link,) = (line for line in output if "/enter#tsu_" in line)
            links.append(link)
            assert link.startswith(f"{address}/enter#")
            if len(links) < 2:
                continue
            async with aiohttp.ClientSession(address) as session:
                statuses = []
                for text in links:
                    body = {
                        "secret": secret_of(text),
                        "email": "admin@example.org",
                        "password": "correct horse battery",
                    }
                    async with session.post("/api/v1/session/setup", json=body) as response:
                        statuses.append(response.status)
            assert statuses == [401, 201]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_tells_where_everything_is_and_stops_when_asked(folder: Path, number: signal.Signals) -> None:
    async with up(folder) as process:
        assert set(await settings(folder)) == {"TAILSLIDE_NATS_URL", "TAILSLIDE_REDIS_URL"}
        assert set(await settings(folder, "--admin")) == {
            "TAILSLIDE_API_TOKEN",
            "TAILSLIDE_DATABASE_URL",
            "TAILSLIDE_NATS_URL",
            "TAILSLIDE_REDIS_URL",
            "TAILSLIDE_TOWER_URL",
        }
        await assert_tower_answers(folder)
        process.send_signal(number)
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
        assert out.endswith(b"Stopping \xe2\x80\xa6\nStopped.\n")
        assert processes_on(folder) == set()
    status, _, err_text = await tailslide("env", "--data-dir", str(folder))
    assert status == 1
    assert err_text.startswith(f"Error: nothing runs on {folder}: start it with tailslide up")


async def test_it_says_that_a_circuit_opened_why_and_what_comes_next(folder: Path) -> None:
    async with up(folder) as process:
        known = await settings(folder, "--admin")
        headers = {"Authorization": f"Bearer {known['TAILSLIDE_API_TOKEN']}"}
        async with aiohttp.ClientSession(f"{known['TAILSLIDE_TOWER_URL']}/api/v1/", headers=headers) as session:
            recovery = {"delay_ms": 60_000, "initial": 10}
            flag = {"key": "new-checkout", "active": True, "circuit": {"recovery": recovery}}
            for path, body in (("apps", {"key": "shop"}), ("apps/shop/flags", flag)):
                async with session.post(path, json=body) as response:
                    assert response.status == 201, await response.text()
        config = folder / "shop.yaml"
        config.write_text(f"app: shop\nflags_listen: unix:{folder}/shop.sock\nproxy_listen: 127.0.0.1:0\n")
        log = folder / "shop.log"
        with log.open("wb") as errors:
            sidecar = await asyncio.create_subprocess_exec(
                *TAILSLIDE,
                *("sidecar", "--config", str(config)),
                env={"PATH": os.defpath, **await settings(folder, "--app", "shop")},
                stderr=errors,
            )
        try:
            await until(lambda: "rulesets_loaded" in log.read_text())
            connector = aiohttp.UnixConnector(path=f"{folder}/shop.sock")
            async with aiohttp.ClientSession("http://localhost", connector=connector) as session:
                report = {"outcome": "failure", "count": 141}
                async with session.post("/v1/flags/new-checkout/outcomes", json=report) as response:
                    assert response.status == 202
            said = (await line_with(process, "shop.new-checkout")).split("UTC  ", 1)[1]
            await until(lambda: "circuit_opened" in log.read_text())
        finally:
            sidecar.terminate()
            await sidecar.wait()
    assert re.match(
        r"The circuit of shop\.new-checkout opened: all 141 calls failed in [0-9]+ m?s; the threshold is 50%\. "
        r"Nobody gets shop\.new-checkout now\. Calls go to the fallback\. "
        r"The circuit lets users back in by itself from ",
        said,
    )
    assert said.endswith(", 10% first.\n")
    (line,) = (line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "circuit_opened")
    assert line["message"] == said.strip().replace("shop.new-checkout", "new-checkout")


async def line_with(process: asyncio.subprocess.Process, word: str) -> str:
    """Return the next line that it says with this word in it."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while word not in (line := (await process.stdout.readline()).decode()):
            assert line
    return line


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environments of processes")
async def test_each_process_is_told_what_it_needs_and_no_more(folder: Path) -> None:
    shell = {**os.environ, "AWS_SECRET_ACCESS_KEY": "of the shell", "TAILSLIDE_LOG_LEVEL": "warning"}
    async with up(folder, environ=shell):
        known = {**await settings(folder), **await settings(folder, "--admin")}
        secrets = json.loads((folder / "secrets.json").read_text())
        config = folder / "sidecar.yaml"
        config.write_text("app: checkout\nflags_listen: 127.0.0.1:0\nproxy_listen: 127.0.0.1:0\n", encoding="utf-8")
        # As a shell that has evaluated `tailslide env` and knows nothing else.
        sidecar = await asyncio.create_subprocess_exec(
            *TAILSLIDE,
            "sidecar",
            "--config",
            str(config),
            env={"PATH": os.defpath, **await settings(folder, "--app", "checkout")},
        )
        try:
            await until(lambda: "sidecar" in command_line(sidecar.pid))
            ours = {
                "sidecar": environment_of(sidecar.pid),
                "tower": environment_of(pid_of(folder, "\0tower\0")),
                "aerobat": environment_of(pid_of(folder, "\0aerobat\0")),
                "nats": environment_of(pid_of(folder, "nats-server")),
                "redis": environment_of(pid_of(folder, "valkey-server")),
                "postgres": environment_of(pid_of(folder, "bin/postgres")),
            }
        finally:
            sidecar.kill()
            await sidecar.wait()
    told_of = {
        part: {name for name in environment if name.startswith("TAILSLIDE_")} for part, environment in ours.items()
    }
    nats_and_redis = {"TAILSLIDE_NATS_URL", "TAILSLIDE_REDIS_URL"}
    callout = {"TAILSLIDE_NATS_CALLOUT_URL", "TAILSLIDE_NATS_ISSUER_SEED", "TAILSLIDE_NATS_SYSTEM_URL"}
    assert told_of == {
        "sidecar": {*nats_and_redis, "TAILSLIDE_SDK_KEY"},
        "tower": {
            "TAILSLIDE_API_TOKEN",
            "TAILSLIDE_DATABASE_URL",
            "TAILSLIDE_LOG_LEVEL",
            "TAILSLIDE_TOWER_LISTEN",
            "TAILSLIDE_TOWER_URL",
            *nats_and_redis,
            *callout,
        },
        "aerobat": {*nats_and_redis, *callout, "TAILSLIDE_AEROBAT_LISTEN", "TAILSLIDE_LOG_LEVEL"},
        "nats": set(),
        "redis": set(),
        "postgres": set(),
    }
    values = {part: "\n".join(environment.values()) for part, environment in ours.items()}
    for part in ours:
        assert ("AWS_SECRET_ACCESS_KEY" in ours[part], secrets["postgres_password"] in values[part]) == (False, False)
        assert (secrets["database_password"] in values[part]) == (part == "tower")
        assert (known["TAILSLIDE_API_TOKEN"] in values[part]) == (part == "tower")
        assert (secrets["redis_password"] in values[part]) == (part in {"tower", "aerobat"})
        for user, reader in (("admin", None), ("tower", "tower"), ("aerobat", "aerobat")):
            assert (secrets[f"nats_{user}_password"] in values[part]) == (part == reader)


async def test_env_gives_an_app_its_key_again_and_another_one_once_it_is_revoked(folder: Path) -> None:
    async with up(folder):
        first = await settings(folder, "--app", "checkout")
        assert set(first) == {"TAILSLIDE_NATS_URL", "TAILSLIDE_REDIS_URL", "TAILSLIDE_SDK_KEY"}
        assert all("@" not in value for value in (first["TAILSLIDE_NATS_URL"], first["TAILSLIDE_REDIS_URL"]))
        assert await settings(folder, "--app", "checkout") == first
        other = await settings(folder, "--app", "bank")
        assert parse_sdk_key(other["TAILSLIDE_SDK_KEY"]).app == "bank"
        assert (folder / "sdk_keys.json").stat().st_mode & 0o077 == 0
        known = await settings(folder, "--admin")
        headers = {"Authorization": f"Bearer {known['TAILSLIDE_API_TOKEN']}"}
        key = parse_sdk_key(first["TAILSLIDE_SDK_KEY"])
        async with aiohttp.ClientSession(known["TAILSLIDE_TOWER_URL"], headers=headers) as session:
            async with session.get("/api/v1/apps/checkout/keys") as response:
                assert [one["name"] for one in (await response.json())["keys"]] == ["tailslide env"]
            async with session.delete(f"/api/v1/apps/checkout/keys/{key.key_id}") as response:
                assert response.status == 204
        second = await settings(folder, "--app", "checkout")
        assert second["TAILSLIDE_SDK_KEY"] != first["TAILSLIDE_SDK_KEY"]
    status, _, err = await tailslide("env", "--data-dir", str(folder), "--app", "Not An App")
    assert status == 2
    assert "--app: expected 1 to 63 characters" in err


async def test_what_is_killed_is_started_again_and_the_others_go_on(folder: Path) -> None:
    async with up(folder) as process:
        first = {word: pid_of(folder, word) for word in PARTS}
        for word, name in PARTS.items():
            os.kill(pid_of(folder, word), signal.SIGKILL)
            await told(process, f"{name} is started again in 1 s")
            await told(process, f"{name} runs again")
        assert all(pid_of(folder, word) != pid for word, pid in first.items())
        await assert_tower_answers(folder)
        tower, aerobat = pid_of(folder, "\0tower\0"), pid_of(folder, "\0aerobat\0")
        os.kill(pid_of(folder, "nats-server"), signal.SIGKILL)
        await told(process, "NATS is started again in 2 s")
        await told(process, "NATS runs again")
        assert (pid_of(folder, "\0tower\0"), pid_of(folder, "\0aerobat\0")) == (tower, aerobat)
        await assert_tower_answers(folder)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            _, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
        assert processes_on(folder) == set()


async def test_what_ends_again_and_again_is_given_up_and_everything_stopped(folder: Path) -> None:
    hasty = "from tailslide_embedded import cli, restarts; restarts.FIRST_PAUSE_S = 0.01; cli.main()"
    async with up(folder, program=(sys.executable, "-P", "-c", hasty)) as process:
        spoil_cluster(folder)
        os.kill(pid_of(folder, "bin/postgres"), signal.SIGKILL)
        async with asyncio.timeout(90):
            out, err = await process.communicate()
        assert process.returncode == 1
        sentence, *log = err.decode().splitlines()
        assert sentence.startswith("Error: PostgreSQL ended before it was ready at 127.0.0.1:")
        assert log[-1] == (
            "PostgreSQL was started again 5 times within 10 minutes: everything is stopped; "
            f"look for the cause in {folder / 'logs' / 'postgres.log'}, then start again"
        )
        assert out.decode().count("PostgreSQL is started again in ") == 5
        assert "Traceback" not in err.decode()
        assert processes_on(folder) == set()


async def test_who_starts_it_again_is_told_when_a_port_was_not_free_any_more(folder: Path) -> None:
    async with up(folder):
        ports = json.loads((folder / "state.json").read_text())["ports"]
    with socket.create_server(("127.0.0.1", ports["nats"])):
        async with up(folder) as process:
            now = json.loads((folder / "state.json").read_text())["ports"]
            await told(process, "")
            await told(
                process,
                f"Ports have changed since the last run: NATS from {ports['nats']} to {now['nats']}. Sidecars that "
                "were started before do not find these servers: start them again with a new tailslide env.",
            )
    assert now == {**ports, "nats": now["nats"]}


async def test_without_a_reader_it_stops_everything_in_order(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    words = ("up", "--data-dir", str(folder), "--tower-listen", "127.0.0.1:0", "--aerobat-listen", "127.0.0.1:0")
    try:
        process = await asyncio.create_subprocess_exec(*TAILSLIDE, *words, stdout=write, stderr=asyncio.subprocess.PIPE)
    finally:
        os.close(write)
    async with asyncio.timeout(60):
        _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode() == "Error: nobody reads what tailslide up says any more: everything is stopped\n"
    assert processes_on(folder) == set()


async def test_a_second_one_with_a_setting_of_the_first_is_refused_and_told_whose_it_is(folder: Path) -> None:
    async with up(folder / "first") as process:
        told = {**await settings(folder / "first"), **await settings(folder / "first", "--admin")}
        nats, redis, database = "TAILSLIDE_NATS_URL", "TAILSLIDE_REDIS_URL", "TAILSLIDE_DATABASE_URL"
        for names in ((nats, redis), (redis,), (database,), (nats, redis, database)):
            loaded = {**os.environ, **{name: told[name] for name in names}}
            second = await asyncio.create_subprocess_exec(
                *TAILSLIDE, "up", "--data-dir", str(folder / "second"), env=loaded, stderr=asyncio.subprocess.PIPE
            )
            async with asyncio.timeout(60):
                _, err = await second.communicate()
            assert second.returncode == 1
            assert err.decode().startswith(
                f"Error: {', '.join(names)}: this shell has the settings of the tailslide up that runs "
                f"on {folder / 'first'} (process {process.pid}), "
            )
            assert err.count(b"\n") == 1
            assert names_in(folder) == {"first"}


async def test_a_second_one_on_the_same_folder_is_refused(folder: Path) -> None:
    async with up(folder) as process:
        status, _, err = await tailslide("up", "--data-dir", str(folder))
        assert (status, err.count("\n")) == (1, 1)
        assert err.startswith(f"Error: --data-dir: {folder} is in use by process {process.pid};")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
async def test_kill_9_leaves_nothing(folder: Path) -> None:
    async with up(folder) as process:
        assert len(processes_on(folder)) > len(PARTS)  # PostgreSQL has children of its own
        process.kill()
        await process.wait()
        await until(lambda: processes_on(folder) == set())
        assert (await tailslide("env", "--data-dir", str(folder)))[0] == 1


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
