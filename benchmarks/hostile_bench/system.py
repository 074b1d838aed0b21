"""What is attacked: a sidecar, Tower and Aerobat as processes on real servers, from this checkout or another.

Everything runs in a temporary folder and is stopped by process id. Flags are made through Tower's API; most of them
have one condition with the operator `in`, as rules usually have.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from hostile_bench.vitals import Vitals, look
from hostile_bench.wire import Address, Seen, request, talk
from tailslide_embedded.addresses import LOOPBACK, any_free_port
from tailslide_embedded.processes import Child, NotReadyError, ProcessSpec
from tailslide_embedded.stack import Stack, embedded_servers
from tailslide_embedded.whole_loop import temporary_data_dir
from tailslide_runtime.errors import StartError

APP = "shop"
FLAGS = 100
_PACKAGES = ("core", "runtime", "sidecar", "tower", "aerobat", "deploy")
_TIMEOUT_S = 30.0
_CALM_TIMEOUT_S = 90.0
_PROMPT_S = 0.25
_AT_ONCE = 8


@dataclass(frozen=True)
class Process:
    """A process of the system under attack."""

    name: str
    child: Child

    @property
    def pid(self) -> int:
        """Its id; raise `StartError` when it has ended, which an attack may have brought about."""
        if self.child.pid is None:
            raise StartError(f"{self.name} has ended; its log is {self.child.spec.log}")
        return self.child.pid

    def look(self) -> Vitals:
        """Look at it."""
        return look(self.pid, self.child.spec.log)


@dataclass(frozen=True)
class Listener:
    """One of the four, and the process that it belongs to."""

    name: str
    address: Address
    process: Process


@dataclass
class Probes:
    """What the bystander has told so far: name of the probe, when it began, milliseconds, what came."""

    calls: list[tuple[str, float, float, str]] = field(default_factory=list)

    def of(self, name: str, since: float, until: float) -> list[tuple[float, str]]:
        """Return milliseconds and results of the calls that were under way in a time."""
        return [
            (ms, result)
            for probe, began, ms, result in self.calls
            if probe == name and began <= until and began + ms / 1000 >= since
        ]


class System:
    """All of it, running."""

    def __init__(
        self, stack: Stack, tree: Path, ending: AsyncExitStack, *, quick: bool, sidecar: Mapping[str, object]
    ) -> None:
        """`tree` is the checkout that is attacked, `sidecar` what else is in the sidecar's file."""
        self.stack = stack
        self.quick = quick
        self.probes = Probes()
        self.token = stack.data.secret("api_token")
        self.listeners: dict[str, Listener] = {}
        self._tree = tree
        self._sidecar = sidecar
        self._ending = ending
        self._bystander: asyncio.subprocess.Process | None = None
        self._upstream = 0

    async def start(self) -> None:
        """Start everything, the bystander included."""
        await self._start_bystander()
        tower = await self._start("tower", "tailslide_tower.main", "TAILSLIDE_TOWER_LISTEN")
        aerobat = await self._start("aerobat", "tailslide_aerobat.main", "TAILSLIDE_AEROBAT_LISTEN")
        self.listeners = {"tower": tower, "aerobat": aerobat}
        await self._make_flags()
        await self.restart_sidecar(4096)

    async def restart_sidecar(self, descriptors: int) -> None:
        """Start a sidecar that may have so many files open, in the place of the one before, and probe that."""
        before = self.listeners.pop("flags", None)
        self.listeners.pop("proxy", None)
        await self._probe({})
        if before is not None:
            await before.process.child.stop()
        flags, proxy = (LOOPBACK, any_free_port()), (LOOPBACK, any_free_port())
        upstream = f"http://{LOOPBACK}:{self._upstream}"
        route = {"flag": "route", "feature": upstream, "fallback": {"status": 503, "body": "fallback"}}
        config = {
            "app": APP,
            "flags_listen": "{}:{}".format(*flags),
            "proxy_listen": "{}:{}".format(*proxy),
            "routes": [
                {"match": {"path_prefix": "/svc"}, "targeting_key": {"header": "x-user-id"}, **route},
                {"match": {"path_prefix": "/masked"}, **route, "flag": "masked"},
                {"match": {"path_prefix": "/slow"}, "upstream": upstream},
            ],
            **self._sidecar,
        }
        file = self.stack.data.folder("hostile") / "sidecar.yaml"
        file.write_text(yaml.safe_dump(config))
        process = await self._process("sidecar", ("tailslide_sidecar.main", str(file)), {}, flags, descriptors)
        self.listeners |= {"flags": Listener("flags", flags, process), "proxy": Listener("proxy", proxy, process)}
        await self._probe({name: listener.address for name, listener in self.listeners.items()})

    async def ask(self, name: str, message: bytes) -> Seen:
        """Make one request of a listener."""
        return await talk(self.listeners[name].address, (message,), wait_s=_TIMEOUT_S)

    async def ask_json(self, name: str, message: bytes) -> dict[str, object]:
        """Make one request and return the object that is answered; empty when nothing was."""
        body = (await self.ask(name, message)).data.rpartition(b"\r\n\r\n")[2]
        answer = json.loads(body) if body else {}
        return answer if isinstance(answer, dict) else {}

    async def until_calm(self) -> None:
        """Wait until every listener answers promptly again, for a minute and a half at most."""
        until = time.monotonic() + _CALM_TIMEOUT_S
        while time.monotonic() < until:
            began = time.monotonic()
            await asyncio.gather(
                *(
                    self.ask(name, request("GET", "/svc/ok" if name == "proxy" else "/healthz"))
                    for name in self.listeners
                )
            )
            if time.monotonic() - began < _PROMPT_S:
                return

    # What is started

    async def _start(self, name: str, module: str, setting: str) -> Listener:
        address = (LOOPBACK, any_free_port())
        env = {setting: "{}:{}".format(*address), "TAILSLIDE_API_TOKEN": self.token}
        return Listener(name, address, await self._process(name, (module,), env, address, 4096))

    async def _process(
        self, name: str, module: tuple[str, ...], env: Mapping[str, str], address: Address, descriptors: int
    ) -> Process:
        async def ready() -> None:
            seen = await talk(address, (request("GET", "/readyz"),), wait_s=5)
            if seen.status != 200:
                raise NotReadyError(f"/readyz answers {seen.label or 'nothing'}")

        own = {key: value for key, value in os.environ.items() if not key.startswith("TAILSLIDE_")}
        own |= self.stack.endpoints.environment() | {"TAILSLIDE_LOG_FORMAT": "json", **env}
        own["PYTHONPATH"] = os.pathsep.join(str(self._tree / package) for package in _PACKAGES)
        limit = ("/bin/sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh")
        spec = ProcessSpec(
            name=name,
            argv=(*limit, sys.executable, "-P", "-m", *module),
            env=own,
            cwd=self.stack.data.folder("hostile"),
            log=self.stack.data.log(name),
            keep_open=self.stack.data.keep_open,
            address="{}:{}".format(*address),
            ready=ready,
            stop_timeout_s=20.0,
        )
        child = Child(spec)
        self._ending.push_async_callback(child.stop)
        await child.start()
        return Process(name, child)

    async def _make_flags(self) -> None:
        plain: list[dict[str, object]] = [
            {"key": name, "rollout": 100.0, "circuit": {}} for name in ("route", "masked", "reported")
        ]
        condition = {"attribute": "country", "operator": "in", "values": ["DE", "FR"]}
        ruled: list[dict[str, object]] = [
            {"key": f"flag-{index}", "rollout": 50.0, "rules": [{"when": [condition], "rollout": 100.0}]}
            for index in range(FLAGS)
        ]
        texts = {"attribute": "text", "operator": "contains", "values": ["needle"]}
        version = {"attribute": "app", "operator": "semver_ge", "values": ["1.2.3"]}
        ruled += [
            {"key": f"text-{index}", "rollout": 50.0, "rules": [{"when": [texts, version], "rollout": 100.0}]}
            for index in range(20)
        ]
        await self._create("/api/v1/apps", {"key": APP})
        flags = [*plain, *ruled]
        for start in range(0, len(flags), _AT_ONCE):
            some = flags[start : start + _AT_ONCE]
            await asyncio.gather(
                *(self._create(f"/api/v1/apps/{APP}/flags", {"active": True, **flag}) for flag in some)
            )

    async def _create(self, path: str, body: Mapping[str, object]) -> None:
        token = f"Bearer {self.token}"
        seen = await self.ask("tower", request("POST", path, json.dumps(body).encode(), Authorization=token))
        if seen.status != 201:
            raise StartError(f"Tower refused POST {path}: {seen.data[-300:].decode(errors='replace')}")

    async def _start_bystander(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hostile_bench.bystander"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )
        assert process.stdout is not None
        self._bystander = process
        self._upstream = int(await process.stdout.readline())
        reading = asyncio.create_task(self._read(process.stdout))

        async def end() -> None:
            process.kill()
            await process.wait()
            await reading

        self._ending.push_async_callback(end)

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            name, began, ms, result = json.loads(line)
            self.probes.calls.append((name, began, ms, result))

    async def _probe(self, addresses: Mapping[str, Address]) -> None:
        assert self._bystander is not None
        assert self._bystander.stdin is not None
        self._bystander.stdin.write(json.dumps(addresses).encode() + b"\n")
        await self._bystander.stdin.drain()


@asynccontextmanager
async def running_system(
    tree: Path, *, quick: bool, sidecar: Mapping[str, object] | None = None
) -> AsyncIterator[System]:
    """Run the system of a checkout until the end of the block; `sidecar` is added to the sidecar's file."""
    with temporary_data_dir() as folder:
        async with embedded_servers(folder) as stack, AsyncExitStack() as ending:
            system = System(stack, tree, ending, quick=quick, sidecar=sidecar or {})
            await system.start()
            yield system
