"""What is started: nginx, the plain application, real sidecars on a real NATS and Redis, each on the servers' core.

Everything runs in a temporary folder, under the embedded stack's care, which stops it by process id.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import nats
import orjson
import yaml

from flags_bench.load import Target, ask
from flags_bench.questions import get
from tailslide_core.flag_contracts import encode_ruleset, encode_segment, ruleset_json
from tailslide_core.naming import RULESETS_BUCKET
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment
from tailslide_embedded.addresses import LOOPBACK, any_free_port
from tailslide_embedded.processes import Child, NotReadyError, ProcessSpec
from tailslide_embedded.stack import Stack
from tailslide_runtime.errors import StartError
from tailslide_runtime.jetstream import ensure_bucket
from tailslide_runtime.settings import ListenAddress

_AT_ONCE = 500
_NGINX_WORD = 3_500
_NGINX = """\
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen {tcp}; listen unix:{unix};
{locations}
  }}
}}
"""


@dataclass(frozen=True)
class Cores:
    """One for the server under test, one for the load."""

    server: int
    load: int


def cores() -> Cores:
    """Return two cores that this process may use; raise `StartError` when there are none or tools are missing."""
    if sys.platform != "linux":
        raise StartError("this benchmark pins processes and reads /proc, so it needs Linux")
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise StartError(
            f"two cores are needed, one for the server and one for the load; this process may use {allowed}"
        )
    if shutil.which("taskset") is None:
        raise StartError("taskset is needed to pin servers to a core: apt-get install util-linux")
    return Cores(allowed[0], allowed[-1])


def nginx_program() -> str:
    """Return where nginx is; raise `StartError` when it is nowhere."""
    path = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise StartError("nginx is needed as the yardstick: apt-get install nginx-light")
    return path


class Bench:
    """Starts servers on running embedded ones; `ending` stops them, the last first."""

    def __init__(self, stack: Stack, cores: Cores, ending: AsyncExitStack) -> None:
        self.stack = stack
        self.cores = cores
        self._ending = ending
        self._children: dict[str, Child] = {}
        self.folder = stack.data.folder("bench")
        self._count = 0

    def tcp(self) -> ListenAddress:
        """Return a free TCP address."""
        return ListenAddress(LOOPBACK, any_free_port())

    def unix(self) -> ListenAddress:
        """Return a free path for a unix socket."""
        self._count += 1
        return ListenAddress(path=self.folder / f"{self._count}.sock")

    async def put(self, flags: Iterable[Ruleset], segments: Iterable[Segment] = ()) -> None:
        """Write segments and flags into the bucket, as Tower would."""
        client = await nats.connect(self.stack.endpoints.nats_url)
        try:
            await ensure_bucket(client, RULESETS_BUCKET)
            bucket = await client.jetstream().key_value(RULESETS_BUCKET)
            for segment in segments:
                await bucket.put(str(segment.segment_id), encode_segment(segment))
            waiting = list(flags)
            for start in range(0, len(waiting), _AT_ONCE):
                batch = waiting[start : start + _AT_ONCE]
                await asyncio.gather(*(bucket.put(str(flag.flag_id), encode_ruleset(flag)) for flag in batch))
        finally:
            await client.close()

    async def drop_bucket(self) -> None:
        """Remove all flags that were put."""
        client = await nats.connect(self.stack.endpoints.nats_url)
        try:
            await client.jetstream().delete_key_value(RULESETS_BUCKET)
        finally:
            await client.close()

    def sidecar_command(
        self, app: str, listen: ListenAddress, snapshot: Path
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return the command that runs a sidecar, and its whole environment."""
        self._count += 1
        config = self.folder / f"sidecar{self._count}.yaml"
        config.write_text(
            yaml.safe_dump(
                {
                    "app": app,
                    "flags_listen": str(listen),
                    "proxy_listen": f"{LOOPBACK}:0",
                    "snapshot": str(snapshot),
                }
            )
        )
        argv = (sys.executable, "-P", "-m", "tailslide_embedded", "sidecar", "--config", str(config))
        return self._pinned(argv), self._environment()

    async def sidecar(self, app: str, listen: ListenAddress, name: str) -> Target:
        """Start a sidecar for an app."""
        argv, env = self.sidecar_command(app, listen, self.folder / f"{name.replace(' ', '-')}.json")
        return await self._start(name, argv, env, listen)

    async def plain(self, flags: Sequence[Ruleset], name: str) -> Target:
        """Start the plain application with these flags."""
        self._count += 1
        file = self.folder / f"plain{self._count}.json"
        file.write_bytes(orjson.dumps([ruleset_json(flag) for flag in flags]))
        listen = self.tcp()
        argv = (sys.executable, "-m", "flags_bench.plain", str(file), str(listen.port))
        env = {**self._environment(), "PYTHONPATH": str(Path(__file__).parent.parent)}
        return await self._start(name, self._pinned(argv), env, listen)

    async def nginx(self, answers: Mapping[str, bytes]) -> tuple[Target, Target]:
        """Start an nginx that gives each path, and what is below it, its answer; return it over TCP and unix socket."""
        tcp, unix = self.tcp(), self.unix()
        locations = "\n".join(_location(path, body.decode()) for path, body in {**answers, "/readyz": b"{}"}.items())
        folder = self.stack.data.folder("nginx")
        config = folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, tcp=tcp, unix=unix.path, locations=locations))
        argv = self._pinned((nginx_program(), "-e", "stderr", "-p", str(folder), "-c", str(config)))
        target = await self._start("nginx", argv, {}, tcp)
        return target, Target("nginx, unix socket", unix, target.pid)

    async def stop(self, target: Target) -> None:
        """Stop a server before the end."""
        await self._children[target.name].stop()

    async def stop_all(self) -> None:
        """Stop all servers before the end."""
        for child in self._children.values():
            await child.stop()

    async def _start(self, name: str, argv: tuple[str, ...], env: Mapping[str, str], listen: ListenAddress) -> Target:
        spec = ProcessSpec(
            name=name,
            argv=argv,
            env=env,
            cwd=self.folder,
            log=self.stack.data.log(name.replace(" ", "-")),
            keep_open=self.stack.data.keep_open,
            address=str(listen),
            ready=lambda: answers_ready(listen),
            stop_timeout_s=15.0,
        )
        return await self.start(name, listen, spec)

    async def start(self, name: str, listen: ListenAddress, spec: ProcessSpec) -> Target:
        """Start a process and wait until it answers."""
        # Not one of the stack's children, whose every end before the stack's own is a failure.
        child = self._children[name] = Child(spec)
        self._ending.push_async_callback(child.stop)
        await child.start()
        assert child.pid is not None, "it has just answered"
        return Target(name, listen, child.pid)

    def _pinned(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        taskset = shutil.which("taskset")
        assert taskset is not None
        return (taskset, "--cpu-list", str(self.cores.server), *argv)

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
        return own | self.stack.endpoints.environment() | {"TAILSLIDE_LOG_FORMAT": "json"}


def _location(path: str, body: str) -> str:
    """Return the lines that answer a path. nginx takes no word of 4 KiB, so that a long body comes in parts."""
    parts = [body[start : start + _NGINX_WORD] for start in range(0, len(body), _NGINX_WORD)]
    if len(parts) == 1:
        return f"    location {path} {{ return 200 '{body}'; }}"
    lines = [f"      set $part{index} '{part}';" for index, part in enumerate(parts)]
    whole = "".join(f"$part{index}" for index in range(len(parts)))
    return "\n".join([f"    location {path} {{", *lines, f"      return 200 {whole};", "    }"])


async def answers_ready(listen: ListenAddress) -> None:
    """Return when `/readyz` answers 200 there, else raise `NotReadyError`."""
    try:
        status, body = await asyncio.to_thread(ask, listen, get("/readyz"))
    except OSError as error:
        raise NotReadyError(str(error) or "no answer in time") from error
    if status != 200:
        raise NotReadyError(f"/readyz answers {status} {body[:200].decode(errors='replace')}")
