"""A sidecar process that has its flags from a file, and asks no server for anything."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import orjson
import pytest
import yaml
from sidecar_bench import FLAG, Sidecar, answer, upstream

FLAGS_PAGE = Path(__file__).parents[2] / "docs" / "flags.md"
BLOCK = re.compile(r"^```(json|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUESTION = re.compile(r"^\$ curl 'http://127\.0\.0\.1:4141([^']+)'\n(.+)$", re.MULTILINE)


@dataclass
class Local:
    """A folder with the files of sidecars, and servers that count who connects to them."""

    folder: Path
    environment: dict[str, str]
    sidecars: list[Sidecar] = field(default_factory=list)
    connections: int = 0

    @property
    def flags(self) -> Path:
        return self.folder / "flags.yaml"

    def write(self, **flag: object) -> None:
        """Write the file in place, as some editors do."""
        self.flags.write_text(content(**flag))

    def put(self, text: str) -> None:
        """Put another file in the place of this one, as other editors do."""
        new = self.folder / ".flags.yaml.swp"
        new.write_text(text)
        new.rename(self.flags)

    async def launch(self, *options: str, environment: Mapping[str, str] | None = None) -> Sidecar:
        socket, log_file = self.folder / "flags.sock", self.folder / "sidecar.log"
        with log_file.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tailslide_embedded", "sidecar", *options),
                env={**os.environ, **self.environment, **(environment or {})},
                stderr=log,
                cwd=self.folder,
            )
        sidecar = Sidecar(process, log_file, socket)
        self.sidecars.append(sidecar)
        return sidecar

    async def start(self, *routes: Mapping[str, object], **flag: object) -> Sidecar:
        """Start a sidecar with these routes, and the flag, and wait until it is ready."""
        self.write(**flag)
        (self.folder / "sidecar.yaml").write_text(yaml.safe_dump({"routes": [dict(route) for route in routes]}))
        sidecar = await self.launch("--config", "sidecar.yaml", "--flags", "flags.yaml")
        await self.until_ready(sidecar)
        return sidecar

    async def until_ready(self, sidecar: Sidecar) -> None:
        async def ready() -> bool:
            try:
                sidecar.proxy = f"http://{(await sidecar.get('/v1/status'))[1]['proxy_listen']}"
            except aiohttp.ClientConnectionError:
                return False
            return True

        await sidecar.until(ready)
        assert (await sidecar.get("/readyz"))[0] == 200


def content(**flag: object) -> str:
    return str(yaml.safe_dump({"app": "clinic", "flags": {FLAG: {"active": True, **flag}}}))


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    with TemporaryDirectory() as name:
        bench = Local(Path(name), {})

        async def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            bench.connections += 1
            writer.close()

        server = await asyncio.start_server(count, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        bench.environment = {
            "TAILSLIDE_NATS_URL": f"nats://127.0.0.1:{port}",
            "TAILSLIDE_REDIS_URL": f"redis://127.0.0.1:{port}",
            "TAILSLIDE_SNAPSHOT": str(bench.folder / "snapshot.json"),
            "TAILSLIDE_FLAGS_LISTEN": f"unix:{bench.folder}/flags.sock",
            "TAILSLIDE_PROXY_LISTEN": "127.0.0.1:0",
            "TAILSLIDE_LOG_FORMAT": "json",
        }
        async with server:
            try:
                yield bench
            finally:
                for sidecar in bench.sidecars:
                    if sidecar.process.returncode is None:
                        assert await sidecar.end() == 0, sidecar.log()
        assert bench.connections == 0, "a server was asked for something"
        assert not (bench.folder / "snapshot.json").exists()


def events(sidecar: Sidecar) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in sidecar.log().splitlines()]


async def test_it_starts_follows_the_file_and_ends_without_a_word_of_servers(local: Local) -> None:
    sidecar = await local.start(rollout=100)
    await sidecar.until_answers(active=True, version=1, circuit="closed")
    local.write(rollout=0)
    await sidecar.until_answers(active=False, version=2)
    local.put(content(rollout=100))
    await sidecar.until_answers(active=True, version=3)
    assert await sidecar.end() == 0
    assert [entry["event"] for entry in events(sidecar)] == [
        *("flags_file_loaded", "sidecar_ready", "flags_file_loaded", "flags_file_loaded"),
        *("sidecar_ending", "sidecar_stopped"),
    ]
    assert {entry["level"] for entry in events(sidecar)} == {"info"}


async def test_a_broken_file_keeps_the_last_good_flags_until_it_is_mended(local: Local) -> None:
    sidecar = await local.start(rollout=100)
    local.flags.write_text(f"app: clinic\nflags:\n  {FLAG}:\n    active: true\n    rollout: none\n")
    problem = f'flags.yaml: line 5: flags.{FLAG}.rollout: expected a number, got "none"'
    await until_problem(sidecar, problem)
    await sidecar.until_answers(active=True, version=1)
    for path in ("/readyz", "/v1/status"):
        status, said = await sidecar.get(path)
        assert (status, said["source"], said["connected"], said["problem"]) == (200, "file", False, problem)
    assert await sidecar.metric("tailslide_sidecar_flags_file_valid") == 0
    refused = [entry for entry in events(sidecar) if entry["event"] == "flags_file_refused"]
    assert [(entry["level"], entry["problem"]) for entry in refused] == [("error", problem)]
    local.put(content(rollout=0))
    await sidecar.until_answers(active=False, version=2)
    assert (await sidecar.get("/readyz"))[1].keys() == {"ready", "source", "age_ms", "connected", "published"}
    assert await sidecar.metric("tailslide_sidecar_flags_file_valid") == 1
    assert await sidecar.metric('tailslide_sidecar_flags_file_reads_total{result="refused"}') == 1


async def until_problem(sidecar: Sidecar, problem: str) -> None:
    async def told() -> bool:
        return (await sidecar.get("/readyz"))[1].get("problem") == problem

    await sidecar.until(told)


async def test_a_file_that_disappears_keeps_the_flags_and_may_come_back(local: Local) -> None:
    sidecar = await local.start(rollout=100)
    local.flags.unlink()
    await until_problem(sidecar, "flags.yaml: cannot be read (No such file or directory)")
    await sidecar.until_answers(active=True, version=1)
    local.write(rollout=0)
    await sidecar.until_answers(active=False, version=2)


async def test_a_link_that_is_swapped_above_the_file_is_seen(local: Local) -> None:
    # As volumes of containers do it.
    for name, rollout in (("one", 100), ("two", 0)):
        (local.folder / name).mkdir()
        (local.folder / name / "flags.yaml").write_text(content(rollout=rollout))
    current = local.folder / "current"
    current.symlink_to("one")
    sidecar = await local.launch("--flags", "current/flags.yaml")
    await local.until_ready(sidecar)
    await sidecar.until_answers(active=True)
    (local.folder / "next").symlink_to("two")
    (local.folder / "next").rename(current)
    await sidecar.until_answers(active=False)


async def test_a_signal_has_both_files_read(local: Local) -> None:
    sidecar = await local.start({"answer": {"status": 200, "body": "old"}}, rollout=100)
    before = await sidecar.metric('tailslide_sidecar_flags_file_reads_total{result="loaded"}')
    sidecar.process.send_signal(signal.SIGHUP)
    await sidecar.until_metric('tailslide_sidecar_flags_file_reads_total{result="loaded"}', before + 1)
    await sidecar.until_metric('tailslide_sidecar_config_reloads_total{result="loaded"}', 1)


async def test_the_proxy_goes_by_the_file(local: Local) -> None:
    async with upstream(answer("new")) as feature, upstream(answer("old")) as fallback:
        route = {"flag": FLAG, "feature": feature, "fallback": fallback, "targeting_key": {"header": "x-user-id"}}
        sidecar = await local.start(route, rollout=100)
        assert await called(sidecar) == "new"
        local.write(rollout=100, circuit={"forced_open": True})
        await sidecar.until_answers(active=False, reason="CIRCUIT_OPEN", circuit="open")
        assert await called(sidecar) == "old"
        local.write(rollout=100)
        await sidecar.until_answers(active=True, circuit="closed")
        assert await called(sidecar) == "new"
        assert (await sidecar.get("/v1/status"))[1]["routes"] == [
            {"match": "* /", "flag": FLAG, "upstream": feature, "variants": {}, "problem": None}
        ]


async def called(sidecar: Sidecar) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{sidecar.proxy}/", headers={"x-user-id": "u1"}) as got:
        return await got.text()


async def test_failures_open_no_circuit_and_pile_up_nowhere(local: Local) -> None:
    async with upstream(answer("broken", 500)) as feature, upstream(answer("old")) as fallback:
        route = {"flag": FLAG, "feature": feature, "fallback": fallback, "targeting_key": {"header": "x-user-id"}}
        sidecar = await local.start(route, rollout=100)
        for _ in range(50):
            assert await called(sidecar) == "broken"

        async def forgotten() -> bool:
            return await sidecar.metric("tailslide_sidecar_outcomes_waiting") == 0

        await sidecar.until(forgotten)
        await sidecar.until_answers(active=True, circuit="closed")
        assert (await sidecar.get("/v1/status"))[1]["redis"] is None


async def test_openfeature_is_told_of_changes(local: Local) -> None:
    sidecar = await local.start(rollout=100)
    async with sidecar.flags() as session, session.get("/ofrep/v1/events") as stream:
        await notice(stream)  # who connects is told at once
        local.write(rollout=0)
        await notice(stream)
        async with session.post(f"/ofrep/v1/evaluate/flags/{FLAG}", json={"context": {}}) as got:
            said = await got.json()
    assert (said["value"], said["reason"], said["metadata"]["version"]) == (False, "STATIC", 2)
    assert said["metadata"].get("stale") is not True


async def notice(stream: aiohttp.ClientResponse) -> None:
    """Wait for the next notice of a change."""
    async with asyncio.timeout(20):
        while b"refetchEvaluation" not in await stream.content.readline():
            assert not stream.content.at_eof()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "flags.yaml: cannot be read (No such file or directory)"),
        ("app: clinic", "flags.yaml: line 1: flags: a value is required: the app's flags, by key; {} for none"),
        ("flags: {}", "flags.yaml: line 1: app: a value is required, the key of the app whose flags these are"),
    ],
)
async def test_it_does_not_start_with_a_file_that_is_wrong(local: Local, text: str | None, problem: str) -> None:
    if text is not None:
        local.flags.write_text(text)
    sidecar = await local.launch("--flags", "flags.yaml")
    async with asyncio.timeout(20):
        assert await sidecar.process.wait() == 1
    assert sidecar.log() == f"Error: {problem}\n"


@pytest.mark.parametrize("form", ["list", "by_key", "json"])
async def test_every_example_of_the_flags_page_is_answered_alike_from_a_file(local: Local, form: str) -> None:
    blocks = BLOCK.findall(FLAGS_PAGE.read_text())
    made = [orjson.loads(text) for kind, text in blocks if kind == "json"]
    whole: dict[str, Any] = {
        "flags": [each for each in made if "include" not in each],
        "segments": [each for each in made if "include" in each],
    }
    if form == "by_key":
        whole = {name: {each.pop("key"): each for each in values} for name, values in whole.items()}
    name = "flags.json" if form == "json" else "flags.yaml"
    text = orjson.dumps(whole).decode() if form == "json" else yaml.safe_dump(whole, sort_keys=False)
    (local.folder / name).write_text(text)
    sidecar = await local.launch("--flags", name, environment={"TAILSLIDE_APP": "shop"})
    await local.until_ready(sidecar)
    questions = [question for kind, text in blocks if kind == "console" for question in QUESTION.findall(text)]
    assert len(questions) > 40
    async with sidecar.flags() as session:
        for path, expected in questions:
            async with session.get(split(path)[0], params=split(path)[1]) as got:
                assert (got.status, orjson.loads(await got.read())) == (200, orjson.loads(expected)), path


def split(path: str) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(path)
    return parts.path, parse_qsl(parts.query)
