"""What is measured of a sidecar's life: its start, its memory, and how soon a change in Tower changes its answers.

Servers of the infrastructure and Tower may use both cores, as they would use others at work; a sidecar has one.
"""

import asyncio
import os
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from flags_bench.load import Target, ask, ask_all, connect, exchange
from flags_bench.questions import flag_keys, get, post_json, single, users
from flags_bench.servers import Bench
from tailslide_embedded.parts import tailslide_process
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress

START_TIMEOUT_S = 60.0
POLL_S = 0.002
TOGGLE_TIMEOUT_S = 10.0
PAUSES_S = (0.001, 0.007, 0.013, 0.019)
"""Between toggles, of several lengths, so that they do not fall into step with anything."""


@dataclass(frozen=True)
class Memory:
    """Resident memory of a process, now and at its highest, in bytes."""

    now: int
    peak: int


@dataclass(frozen=True)
class Start:
    """One start of a sidecar: seconds from the start of the process to the first 200 of `/readyz`, and the memory."""

    ready_s: float
    memory: Memory


def memory_of(pid: int) -> Memory:
    """Return the memory of a process."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    now, peak = (int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return Memory(now, peak)


async def starts(bench: Bench, app: str, count: int, *, from_snapshot: bool) -> list[Start]:
    """Start a sidecar so many times; without `from_snapshot` it has none and waits for JetStream."""
    found = []
    snapshot = bench.folder / f"start-{app}.json"
    if from_snapshot:
        await _start(bench, app, snapshot)
    for _ in range(count):
        if not from_snapshot:
            snapshot.unlink(missing_ok=True)
        found.append(await _start(bench, app, snapshot))
    return found


async def _start(bench: Bench, app: str, snapshot: Path) -> Start:
    listen = bench.unix()
    argv, env = bench.sidecar_command(app, listen, snapshot)
    log = bench.stack.data.log("start")
    with log.open("wb") as output:
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(*argv, env=env, stdout=output, stderr=output)
        try:
            while not _is_ready(listen):
                if process.returncode is not None or time.perf_counter() - began > START_TIMEOUT_S:
                    raise StartError(f"a sidecar did not become ready; its log is\n{log.read_text()[-2000:]}")
                await asyncio.sleep(POLL_S)
            return Start(time.perf_counter() - began, memory_of(process.pid))
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


def _is_ready(listen: ListenAddress) -> bool:
    try:
        return ask(listen, get("/readyz"))[0] == 200
    except (FileNotFoundError, ConnectionError):  # it does not listen yet
        return False


def memory_in_use(target: Target, flags: Sequence[str]) -> Memory:
    """Return the memory of a sidecar of which every flag was asked for by several users, so that all answers were."""
    for shift in range(4):
        ask_all(target, single(flags, shift))
    return memory_of(target.pid)


@dataclass(frozen=True)
class Changes:
    """Milliseconds from the request to Tower: to its answer, and to the first changed answer of the sidecar."""

    tower_ms: list[float]
    answer_ms: list[float]


async def start_tower(bench: Bench) -> Target:
    """Start Tower, on the stack's database and bucket."""
    listen = bench.tcp()
    env = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
    env |= bench.stack.endpoints.environment() | {
        "TAILSLIDE_API_TOKEN": bench.stack.data.secret("api_token"),
        "TAILSLIDE_TOWER_LISTEN": str(listen),
    }
    return await bench.start("tower", listen, tailslide_process("tower", listen, bench.stack.data, env))


class TowerCalls:
    """A connection to Tower's API."""

    def __init__(self, bench: Bench, tower: Target) -> None:
        self._headers = f"Authorization: Bearer {bench.stack.data.secret('api_token')}\r\nIf-Match: *\r\n".encode()
        self.connection: socket.socket = connect(tower.address)

    def request(self, path: str, body: Mapping[str, object]) -> bytes:
        """Return a POST to the API."""
        return post_json(f"/api/v1{path}", body, self._headers)

    def call(self, path: str, body: Mapping[str, object]) -> None:
        """Make a POST; raise `StartError` when it is refused."""
        status, answer = exchange(self.connection, self.request(path, body))
        if status >= 300:
            raise StartError(f"Tower refused POST {path}: {status} {answer.decode(errors='replace')}")


async def changes_in_app(bench: Bench, tower: Target, app: str, flags: int, count: int) -> Changes:
    """Make an app with so many flags, start a sidecar for it, and toggle one of the flags so often."""
    calls = TowerCalls(bench, tower)
    try:
        calls.call("/apps", {"key": app})
        for flag in flag_keys(flags):
            calls.call(f"/apps/{app}/flags", {"key": flag, "active": True, "rollout": 100.0})
        sidecar = await bench.sidecar(app, bench.tcp(), f"sidecar of {app}")
        exchanged = changes(calls, app, flag_keys(flags)[flags // 2], sidecar, count)
        await bench.stop(sidecar)
        return exchanged
    finally:
        calls.connection.close()


def changes(calls: TowerCalls, app: str, flag: str, sidecar: Target, count: int) -> Changes:
    """Toggle a flag so often, and look at the sidecar without a pause until it says so; blocks."""
    question = get(f"/v1/flags/{flag}?targeting_key={users()[0]}")
    found = Changes([], [])
    with connect(sidecar.address) as hot:
        active = bool(orjson.loads(exchange(hot, question)[1])["active"])
        for index in range(count):
            time.sleep(PAUSES_S[index % len(PAUSES_S)])
            active = not active
            _change(calls, f"/apps/{app}/flags/{flag}/toggle", active, (hot, question), found)
    return found


def _change(calls: TowerCalls, path: str, active: bool, ask_hot: tuple[socket.socket, bytes], found: Changes) -> None:
    hot, question = ask_hot
    tower_ms: float | None = None
    began = time.perf_counter()
    calls.connection.sendall(calls.request(path, {"active": active}))

    def since_ms() -> float:
        return (time.perf_counter() - began) * 1000

    while orjson.loads(exchange(hot, question)[1])["active"] is not active:
        if tower_ms is None and select.select([calls.connection], [], [], 0)[0]:
            tower_ms = since_ms()
        if since_ms() > TOGGLE_TIMEOUT_S * 1000:
            raise StartError(f"POST {path}: the sidecar still gives the old answer after {TOGGLE_TIMEOUT_S:g} s")
    found.answer_ms.append(since_ms())
    status, answer = exchange(calls.connection, b"")
    found.tower_ms.append(since_ms() if tower_ms is None else tower_ms)
    if status != 200:
        raise StartError(f"Tower refused POST {path}: {status} {answer.decode(errors='replace')}")
