"""The servers of one run: those that are embedded, started together and stopped in order, and those of one's own.

Which processes of Tailslide run on them is decided by the caller, who may put them under the same care.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailslide_embedded.addresses import PortChooser
from tailslide_embedded.data_dir import DataDir, open_data_dir
from tailslide_embedded.processes import Child, Exit, NotReadyError, ProcessSpec
from tailslide_embedded.restarts import MOST_RESTARTS, WITHIN_S, Restarts
from tailslide_embedded.servers import EmbeddedServer, nats, postgres, redis
from tailslide_runtime.auth_callout.service import ISSUER_SEED
from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import DatabaseUrl, NatsUrl, RedisUrl
from tailslide_runtime.tls import TlsFiles
from tailslide_runtime.tls_settings import variable_of


@dataclass(frozen=True)
class Endpoints:
    """Where the three servers answer, credentials included, and which of them (`nats`, `redis`, `postgres`) we run."""

    nats_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    database_url: str = field(repr=False)
    embedded: frozenset[str]
    nats_access: nats.NatsAccess | None = field(default=None, repr=False)
    """Who is let in to the embedded NATS; None for a server of one's own."""
    sdk_keys: bool = field(default=False, repr=False)
    """Whether NATS lets sidecars in by SDK keys, which our Tower and Aerobat then answer for."""

    def environment(self) -> dict[str, str]:
        """Return the settings that lead Tailslide's processes to these servers, as those who may do everything."""
        return {
            NatsUrl.variable: self.nats_url,
            RedisUrl.variable: self.redis_url,
            DatabaseUrl.variable: self.database_url,
        }

    def environment_of(self, part: str) -> dict[str, str]:
        """Return the settings that lead one part (`tower`, `aerobat`, `sidecar`) there, with its own credentials.

        A sidecar with an SDK key needs no others; the key is not known here.
        """
        if part == "sidecar" and self.sdk_keys:
            return {
                NatsUrl.variable: str(NatsUrl.parse(self.nats_url)),
                RedisUrl.variable: str(RedisUrl.parse(self.redis_url)),
            }
        if part == "sidecar" or self.nats_access is None:
            return self.environment()
        return self.environment() | self.nats_access.settings_of(part)


@dataclass(frozen=True)
class _Kind:
    """One of the three servers. The order of the kinds is the order of starting, its reverse that of stopping."""

    key: str
    what: str
    url: type[NatsUrl | RedisUrl | DatabaseUrl]
    server: Callable[[DataDir, int], EmbeddedServer]
    check: Callable[[Any], Awaitable[None]]
    """Is handed the URL of a server of one's own."""


_KINDS = (
    _Kind("nats", "NATS server with JetStream", NatsUrl, nats.server, nats.check),
    _Kind("redis", "Redis with time series", RedisUrl, redis.server, redis.check),
    _Kind("postgres", "PostgreSQL", DatabaseUrl, postgres.server, postgres.check),
)


class Stack:
    """Running servers. `children` has those that are embedded and what was added, by key, in the order of starting."""

    def __init__(self, data: DataDir, endpoints: Endpoints, children: Mapping[str, Child]) -> None:
        self.data = data
        self.endpoints = endpoints
        self.children = dict(children)

    async def add(self, specs: Mapping[str, ProcessSpec]) -> None:
        """Start more processes together; they are stopped before those that were there already, the last first.

        Raises StartError when one does not start, or when one that was there ends meanwhile.
        """
        added = {key: Child(spec) for key, spec in specs.items()}
        starting = asyncio.create_task(together(*(child.start() for child in added.values())))
        ending = asyncio.create_task(_first_exit(tuple(self.children.values())))
        self.children.update(added)
        try:
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            # Looked at first: what is new may well have failed because of the one that ended.
            if ending.done():
                raise StartError(str(ending.result()))
            await starting
        finally:
            await _cancel(starting, ending)

    async def stop(self) -> None:
        """Stop all children, the last first."""
        async with AsyncExitStack() as stopping:  # goes on with the others when one stop is cancelled
            for child in self.children.values():
                stopping.push_async_callback(child.stop)

    async def keep_running(self, tell: Callable[[str], None]) -> None:
        """Until cancelled, start each child again that ends by itself, after a growing pause; the others go on.

        `tell` gets a sentence, with the end of the log, for each end, and one for each restart. Raises StartError for a
        child that ends too often (see `restarts`).
        """
        await together(*(_keep_running(child, tell) for child in self.children.values()))

    async def first_exit(self) -> Exit:
        """Return the end of the first child that ends; never, when there is no child."""
        return await _first_exit(tuple(self.children.values()))


@asynccontextmanager
async def embedded_servers(
    data_dir: Path,
    *,
    nats_port: int | None = None,
    redis_port: int | None = None,
    postgres_port: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Stack]:
    """Hold a data folder and run the servers on it until the end of the block.

    A URL in `environ` (TAILSLIDE_NATS_URL, TAILSLIDE_REDIS_URL, TAILSLIDE_DATABASE_URL) replaces the embedded server;
    nothing is read from the process's own environment. Ports are on 127.0.0.1; without one, the port of the last run
    is taken if it is free, else any free one. Raises StartError, and then leaves nothing running. At the end
    everything is stopped, what was added last first.
    """
    given = {"nats": nats_port, "redis": redis_port, "postgres": postgres_port}
    async with open_data_dir(data_dir) as data, servers_on(data, PortChooser(), given, environ or {}) as stack:
        yield stack


@asynccontextmanager
async def servers_on(
    data: DataDir, ports: PortChooser, given: Mapping[str, int | None], environ: Mapping[str, str]
) -> AsyncIterator[Stack]:
    """Do as `embedded_servers`, on a data folder that is held already; `given` has the wanted ports by key."""
    given_urls = {kind.key: url for kind in _KINDS if (url := own_url(kind.url, environ)) is not None}
    own = {key: url.with_secrets() for key, url in given_urls.items()}
    chosen: dict[str, int] = {}
    for kind in _KINDS:
        wanted, option = given.get(kind.key), f"--{kind.key}-port"
        if kind.key not in own:
            chosen[kind.key] = ports.port(wanted, data.remembered_port(kind.key), option)
        elif wanted is not None:
            raise StartError(f"{option} has no meaning while {kind.url.variable} is set: drop one of them")
    servers = {kind.key: _set_up(kind, data, chosen[kind.key]) for kind in _KINDS if kind.key in chosen}
    data.remember_ports(chosen)
    urls = own | {key: server.url for key, server in servers.items()}
    access = nats.access(data, chosen["nats"]) if "nats" in chosen else None
    sdk_keys = access is not None or bool(environ.get(ISSUER_SEED))
    endpoints = Endpoints(urls["nats"], urls["redis"], urls["postgres"], frozenset(servers), access, sdk_keys)
    stack = Stack(data, endpoints, {key: Child(server.process) for key, server in servers.items()})
    checks = (_reach(kind, given_urls[kind.key]) for kind in _KINDS if kind.key in own)
    try:
        await together(*(child.start() for child in stack.children.values()), *checks)
        yield stack
    finally:
        await stack.stop()


async def together(*starts: Coroutine[Any, Any, None]) -> None:
    """Await all; at the first failure cancel the others and raise it."""
    try:
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(start)
    except ExceptionGroup as errors:
        expected, unexpected = errors.split(StartError)
        if unexpected is not None or expected is None:
            raise
        raise expected.exceptions[0] from None


def _set_up(kind: _Kind, data: DataDir, port: int) -> EmbeddedServer:
    try:
        return kind.server(data, port)
    except OSError as error:
        raise StartError(f"--data-dir: {kind.what} cannot be set up in {data.path}: {error}") from error


def own_url(
    kind: type[NatsUrl | RedisUrl | DatabaseUrl], environ: Mapping[str, str]
) -> NatsUrl | RedisUrl | DatabaseUrl | None:
    """Return the URL of one's own server, with its files for TLS; None when the variable is unset or empty."""
    text = environ.get(kind.variable)
    if not text:
        return None
    try:
        url = kind.parse(text)
        if isinstance(url, DatabaseUrl):
            return url
        variable = variable_of("nats" if isinstance(url, NatsUrl) else "redis")
        given = (environ.get(variable(name)) for name in ("ca_file", "cert_file", "key_file"))
        ca, certificate, key = (Path(path) if path else None for path in given)
        return url.with_files(TlsFiles.read(ca, certificate, key, variable))
    except ValueError as problem:
        sentence = str(problem)
        raise StartError(sentence if sentence.startswith("TAILSLIDE_") else f"{kind.variable}: {sentence}") from None


async def _reach(kind: _Kind, url: NatsUrl | RedisUrl | DatabaseUrl) -> None:
    try:
        await kind.check(url)
    except NotReadyError as error:
        raise StartError(
            f"{kind.url.variable}: no {kind.what} can be used at {url}: {error}; "
            f"start it, correct the URL, or unset the variable to use the embedded server"
        ) from error


async def _first_exit(children: Sequence[Child]) -> Exit:
    if not children:
        await asyncio.Event().wait()
    waiting = [asyncio.create_task(child.wait()) for child in children]
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return next(task.result() for task in waiting if task in done)
    finally:
        await _cancel(*waiting)


async def _keep_running(child: Child, tell: Callable[[str], None]) -> None:
    clock = asyncio.get_running_loop().time
    restarts = Restarts()
    while True:
        what = str(await child.wait())
        started = False
        while not started:
            pause = restarts.next_pause(clock())
            if pause is None:
                raise StartError(
                    f"{what}\n{child.spec.name} was started again {MOST_RESTARTS} times within "
                    f"{WITHIN_S / 60:g} minutes: everything is stopped; look for the cause in {child.spec.log}, "
                    f"then start again"
                )
            tell(f"{what}\n{child.spec.name} is started again in {pause:g} s")
            await asyncio.sleep(pause)
            try:
                await child.start()
                started = True
            except StartError as error:
                what = str(error)
        tell(f"{child.spec.name} runs again")


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
