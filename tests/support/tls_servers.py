"""Servers that speak TLS with certificates of a test: a real NATS, and a front for servers that cannot speak it.

The embedded Valkey and PostgreSQL are built without TLS, so a front takes it off before them: each in the way that its
clients expect, PostgreSQL's after a request for it (protocol 3.0, SSLRequest). What is behind is the real server.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import nats.errors
import nats.js.errors
from authorities import Authority, Files, Issued
from nats.aio.client import Client

from tailslide_embedded import wheels
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.processes import Child, NotReadyError, ProcessSpec

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class NatsWithTls:
    """A real NATS server, over TLS alone, that asks its clients for certificates."""

    def __init__(self, folder: Path, authority: Authority, own: Issued, *, verify: bool = True) -> None:
        self.folder = folder
        self.port, self.web_port = any_free_port(), any_free_port()
        self.url, self.web_url = f"tls://localhost:{self.port}", f"wss://localhost:{self.web_port}"
        authority.write(folder / "server-ca.pem")
        own.write(folder, "server")
        tls = 'cert_file: "server.pem", key_file: "server.key"'
        asks = f', ca_file: "server-ca.pem", verify: {str(verify).lower()}'
        (folder / "nats.conf").write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'jetstream {{ store_dir: "{folder}/store" }}\n'
            f"tls {{ {tls}{asks} }}\n"
            f'websocket {{ listen: "127.0.0.1:{self.web_port}", tls {{ {tls} }} }}\n'
        )
        self.child = Child(
            ProcessSpec(
                name="NATS with TLS",
                argv=(str(wheels.nats_server()), "--config", "nats.conf"),
                env={},
                cwd=folder,
                log=folder / "nats.log",
                address=f"127.0.0.1:{self.port}",
                ready=self._ready,
            )
        )
        self.context = context_of(authority, own.write(folder, "admin"), folder)
        """What the tests themselves connect with."""

    async def _ready(self) -> None:
        client = Client()
        try:
            await client.connect(self.url, tls=self.context, allow_reconnect=False, connect_timeout=1)
            await client.jetstream().account_info()
        except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
            raise NotReadyError(str(error)) from error
        finally:
            await client.close()

    def renew(self, authority: Authority, own: Issued) -> None:
        """Exchange the certificate, and the authority of clients, for the next start."""
        authority.write(self.folder / "server-ca.pem")
        own.write(self.folder, "server")
        self.context = context_of(authority, own.write(self.folder, "admin"), self.folder)


@asynccontextmanager
async def nats_with_tls(
    folder: Path, authority: Authority, own: Issued, *, verify: bool = True
) -> AsyncIterator[NatsWithTls]:
    server = NatsWithTls(folder, authority, own, verify=verify)
    try:
        await server.child.start()
        yield server
    finally:
        await server.child.stop()


def context_of(authority: Authority, own: Files, folder: Path) -> ssl.SSLContext:
    """Return a context of a client that trusts an authority and shows a certificate."""
    context = ssl.create_default_context(cafile=authority.write(folder / "admin-ca.pem"))
    context.load_cert_chain(own.certificate, own.key)
    return context


class Front:
    """Speaks TLS on a port of its own, and plainly to the server behind."""

    def __init__(self, host: str, port: int, *, postgres: bool = False) -> None:
        self._behind = host, port
        self._postgres = postgres
        self._context: ssl.SSLContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.accepted = 0
        """Connections whose handshake was done."""

    def use(self, own: Files, clients: Path | None = None) -> None:
        """Present a certificate from now on, and with `clients` ask for one of those authorities."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.certificate, own.key)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        self._context = context

    async def drop_connections(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self._postgres:
                assert await reader.readexactly(8) == _SSL_REQUEST
                writer.write(b"S")
                await writer.drain()
            assert self._context is not None
            await writer.start_tls(self._context)
            self.accepted += 1
            there, back = await asyncio.open_connection(*self._behind)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pass_on(reader, back))
                    group.create_task(_pass_on(there, writer))
            finally:
                back.close()
        except (OSError, ExceptionGroup, asyncio.IncompleteReadError):
            pass  # refused, or gone, which these tests are about
        finally:
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def front(host: str, port: int, own: Files, *, postgres: bool = False) -> AsyncIterator[Front]:
    """Run a front with a certificate until the end of the block."""
    made = Front(host, port, postgres=postgres)
    made.use(own)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)  # its own maker
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        with suppress(OSError):
            await made.drop_connections()
