"""What is started: the upstreams on the load's core, and every proxy alone on the other.

All but the proxies inherit the load's core from the benchmark, which has moved there before anything starts.
"""

import asyncio
import os
import resource
import shutil
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from flags_bench.live import Memory, memory_of
from flags_bench.load import Target
from flags_bench.servers import Bench, answers_ready

from proxy_bench import configs, loads, programs
from proxy_bench.drive import Answer, ask
from proxy_bench.loads import Kind
from proxy_bench.programs import MissingError, Program
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_embedded.processes import NotReadyError, ProcessSpec
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress

NAMES = ("direct", "nginx", "haproxy", "caddy", "envoy", "plain", "ours", "flagged")
APP, FLAG = "bench", "checkout"
DESCRIPTORS = 8192
_Ready = Callable[[], Awaitable[None]]
_BENCHMARKS = Path(__file__).parent.parent
_ALIKE = ("content-type", "content-length", "last-modified", "etag", "content-encoding")
"""Headers that a proxy has no business with."""


@dataclass
class Proxy:
    """A proxy that runs, and its memory before it has done anything; `direct` is the upstream itself."""

    name: str
    target: Target
    idle: Memory


@dataclass(frozen=True)
class Upstreams:
    """nginx, and our own for uploads and WebSockets."""

    web: Target
    own: Target
    gigabyte: Path
    """The file that nginx has, of zeros that take no room on the disk."""

    @property
    def ports(self) -> configs.Ports:
        """Return where they listen."""
        return configs.Ports(self.web.address.port, self.own.address.port)


def allow_descriptors() -> None:
    """Raise the limit on open files as far as needed, for this process and what it starts; raise `StartError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        raise StartError(f"{DESCRIPTORS} open files are needed for 512 connections on both sides; ulimit -Hn is {hard}")
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))


@dataclass(frozen=True)
class _Peer:
    """A proxy that is not ours: its program, the arguments with places for the file and the folder, and the file."""

    program: Program
    arguments: Sequence[str]
    config: Callable[[int, configs.Ports, Path], str]


_PEERS = {
    "nginx": _Peer(programs.NGINX, ("-e", "stderr", "-p", "{folder}", "-c", "{config}"), configs.nginx_proxy),
    "haproxy": _Peer(programs.HAPROXY, ("-db", "-f", "{config}"), configs.haproxy),
    "caddy": _Peer(programs.CADDY, ("run", "--config", "{config}", "--adapter", "caddyfile"), configs.caddy),
    "envoy": _Peer(
        programs.ENVOY,
        ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c", "{config}"),
        configs.envoy,
    ),
}


class Starter:
    """Starts the upstreams and proxies of one run. With `profile`, sidecars run under cProfile, which writes there."""

    def __init__(self, bench: Bench, *, install: bool, profile: Path | None = None) -> None:
        self._bench = bench
        self._install = install
        self._profile = profile
        self.versions: dict[str, str] = {}
        """Of the programs that are not ours, by the proxy's name."""

    async def upstreams(self) -> Upstreams:
        """Start both."""
        folder = self._bench.stack.data.folder("upstream")
        (folder / loads.Path.MEGABYTE[1:]).write_bytes(loads.megabyte())
        gigabyte = folder / loads.Path.GIGABYTE[1:]
        with gigabyte.open("wb") as file:
            file.truncate(loads.GIGABYTE)
        listen = self._bench.tcp()
        config = folder / "nginx.conf"
        config.write_text(configs.nginx_upstream(listen.port, folder, folder))
        try:
            program = programs.find(programs.NGINX, install=False)
        except MissingError as error:
            raise StartError(str(error)) from error
        nginx_argv = (str(program), "-e", "stderr", "-p", str(folder), "-c", str(config))
        web = await self._run("upstream", nginx_argv, {}, listen, lambda: _answers(listen))
        own_listen = self._bench.tcp()
        own_argv = (sys.executable, "-m", "proxy_bench.own_upstream", str(own_listen.port))
        own = await self._run("own-upstream", own_argv, _python(), own_listen, lambda: _answers(own_listen))
        return Upstreams(web, own, gigabyte)

    async def proxies(self, names: Collection[str], upstreams: Upstreams) -> list[Proxy]:
        """Start the proxies of these names; leave out, with a line, those whose program cannot be had."""
        found = []
        for name in NAMES:
            if name not in names:
                continue
            try:
                target = await self._proxy(name, upstreams)
            except MissingError as error:
                print(f"  no row for {name}: {error}", file=sys.stderr, flush=True)
                continue
            check_alike(upstreams, target)
            found.append(Proxy(name, target, memory_of(target.pid)))
        return found

    async def _proxy(self, name: str, upstreams: Upstreams) -> Target:
        ports = upstreams.ports
        match name:
            case "direct":
                return Target(name, upstreams.web.address, upstreams.web.pid)
            case "plain":
                listen = self._bench.tcp()
                argv = (sys.executable, "-m", "proxy_bench.plain", *map(str, (listen.port, ports.web, ports.own)))
                return await self._run_alone(name, argv, _python(), listen, lambda: _answers(listen))
            case "ours" | "flagged":
                return await self._sidecar(name, ports, flagged=name == "flagged")
            case _:
                return await self._peer(name, _PEERS[name], ports)

    async def _peer(self, name: str, peer: _Peer, ports: configs.Ports) -> Target:
        program = programs.find(peer.program, install=self._install)
        self.versions[name] = programs.version(program, peer.program)
        folder = self._bench.stack.data.folder(name)
        listen = self._bench.tcp()
        config = folder / "config.yaml"  # Envoy takes the format from the name, the others do not care
        config.write_text(peer.config(listen.port, ports, folder))
        arguments = (argument.format(folder=folder, config=config) for argument in peer.arguments)
        # Programs written in Go keep files of their own in the home folder, and like to use more threads than cores.
        env = {"HOME": str(folder), "PATH": os.defpath, "GOMAXPROCS": "1"}
        try:
            return await self._run_alone(name, (str(program), *arguments), env, listen, lambda: _answers(listen))
        except StartError as error:
            raise MissingError(str(error)) from error  # such as a program that was built for another system

    async def fresh_sidecar(self, name: str, upstreams: Upstreams) -> Target:
        """Start one more of `ours` or `flagged`, whose memory nothing has grown yet; the caller stops it."""
        return await self._sidecar(f"fresh-{name}", upstreams.ports, flagged=name == "flagged")

    async def flagged_sidecar(self, called: str, upstreams: Upstreams, traces: Mapping[str, object] | None) -> Target:
        """Start one more of `flagged`, with these settings of traces."""
        return await self._sidecar(called, upstreams.ports, flagged=True, traces=traces)

    async def collector(self) -> str:
        """Start a collector on the load's core, and return its URL."""
        listen = self._bench.tcp()
        argv = (sys.executable, "-m", "proxy_bench.collector", str(listen.port))
        await self._run("collector", argv, _python(), listen, lambda: _answers(listen))
        return f"http://{listen}"

    async def _sidecar(
        self, called: str, ports: configs.Ports, *, flagged: bool, traces: Mapping[str, object] | None = None
    ) -> Target:
        await self._bench.put([Ruleset(APP, FLAG, 1, True, 100.0, FLAG, circuit=CircuitSettings())])
        flags_listen, listen = self._bench.tcp(), self._bench.tcp()
        folder = self._bench.stack.data.folder(called)
        config = folder / "sidecar.yaml"
        settings = configs.sidecar(
            APP, str(flags_listen), str(listen), folder / "snapshot.json", ports, FLAG if flagged else None
        )
        config.write_text(yaml.safe_dump(settings if traces is None else {**settings, "traces": dict(traces)}))
        module = ("tailslide_embedded",) if self._profile is None else ("proxy_bench.profiled", str(self._profile))
        argv = (sys.executable, "-P", "-m", *module, "sidecar", "--config", str(config))
        env = _python() | self._bench.stack.endpoints.environment() | {"TAILSLIDE_LOG_FORMAT": "json"}

        async def ready() -> None:
            await answers_ready(flags_listen)
            await _answers(listen)

        return await self._run_alone(called, argv, env, listen, ready)

    async def _run_alone(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], listen: ListenAddress, ready: _Ready
    ) -> Target:
        taskset = shutil.which("taskset")
        assert taskset is not None, "`cores` has looked for it"
        return await self._run(name, (taskset, "--cpu-list", str(self._bench.cores.server), *argv), env, listen, ready)

    async def _run(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], listen: ListenAddress, ready: _Ready
    ) -> Target:
        data = self._bench.stack.data
        spec = ProcessSpec(
            name=name,
            argv=tuple(argv),
            env=env,
            cwd=self._bench.folder,
            log=data.log(name),
            keep_open=data.keep_open,
            address=str(listen),
            ready=ready,
            stop_timeout_s=15.0,
        )
        return await self._bench.start(name, listen, spec)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}


def _python() -> dict[str, str]:
    return _environment() | {"PYTHONPATH": str(_BENCHMARKS)}


async def _answers(listen: ListenAddress) -> None:
    """Return when the small answer comes, else raise `NotReadyError`."""
    try:
        answer = await asyncio.to_thread(ask, listen, loads.requests(Kind.GET)[0])
    except OSError as error:
        raise NotReadyError(str(error) or "no answer in time") from error
    if answer.status != 200:
        raise NotReadyError(f"{loads.Path.SMALL} answers {answer.status} {answer.body[:200]!r}")


def check_alike(upstreams: Upstreams, proxy: Target) -> None:
    """Raise `StartError` unless a proxy's answers are the upstream's; only then is its speed worth comparing."""
    for kind in Kind:
        for request in loads.requests(kind)[:3]:
            expected, got = _essence(upstreams.web, request), _essence(proxy, request)
            if expected != got:
                raise StartError(
                    f"{proxy.name} answers {_shown(got)}, its upstream {_shown(expected)} to {request!r:.80}"
                )
            if (got.status, got.body) != (200, loads.expected(kind)):
                raise StartError(f"the upstream answers {_shown(got)} to {request!r:.80}")


def _essence(target: Target, request: bytes) -> Answer:
    """Return an answer without the headers that are the proxy's own business."""
    try:
        answer = ask(target.address, request)
    except OSError as error:
        raise StartError(f"{target.name} at {target.address} failed: {error}") from error
    return Answer(answer.status, {name: answer.headers[name] for name in _ALIKE if name in answer.headers}, answer.body)


def _shown(answer: Answer) -> str:
    return f"{answer.status} {answer.headers} with {len(answer.body)} bytes {answer.body[:60]!r}"
