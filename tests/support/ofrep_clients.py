"""OpenFeature's own OFREP clients, as applications use them: Python's here, JavaScript's in a Node.js process.

The Node.js application is in `conformance/ofrep`, and is installed as its lock file says when it is not there yet.
"""

import asyncio
import json
import subprocess
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from suite_install import node_app

APP = Path(__file__).parents[1] / "conformance" / "ofrep"
KINDS = ("python", "server", "web")
WAIT_S = 20.0


@dataclass(frozen=True)
class Details:
    """What an application learns about a flag."""

    value: object
    reason: str
    variant: str | None = None
    error: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


class Client(Protocol):
    """An application with a provider. The context is the attributes, with `targetingKey` among them."""

    async def connect(self, url: str, **context: object) -> None:
        """Set the provider up; what the SDK says against it is no error here."""

    async def details(self, flag: str, default: object, **context: object) -> Details:
        """Evaluate a flag for one user."""


class PythonClient:
    """`openfeature-provider-ofrep`."""

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._domain = uuid.uuid4().hex
        self._provider: OFREPProvider | None = None

    async def connect(self, url: str, **context: object) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        self._provider = OFREPProvider(url, headers_factory=(lambda: headers) if self._token else None)
        api.set_provider_and_wait(self._provider, self._domain)

    async def details(self, flag: str, default: object, **context: object) -> Details:
        client = api.get_client(self._domain)
        asks: dict[type, Callable[..., Any]] = {
            bool: client.get_boolean_details,
            str: client.get_string_details,
            int: client.get_integer_details,
            float: client.get_float_details,
            dict: client.get_object_details,
        }
        # `targetingKey` among the attributes is sent as it is, even where it is no string.
        attributes = cast(dict[str, Any], context)
        given = await asyncio.to_thread(asks[type(default)], flag, default, EvaluationContext(None, attributes))
        error = None if given.error_code is None else given.error_code.value
        reason = given.reason or ""
        return Details(given.value, str(getattr(reason, "value", reason)), given.variant, error, given.flag_metadata)

    def close(self) -> None:
        if self._provider is not None:
            self._provider.session.close()


class Node:
    """The Node.js process; one command at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, command: str, *given: object) -> Any:
        """Return the result; raise `RuntimeError` with what the SDK has thrown."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        async with asyncio.timeout(WAIT_S):
            stdin.write(json.dumps([command, *given]).encode() + b"\n")
            await stdin.drain()
            line = await stdout.readline()
        assert line, f"{command}: Node.js has ended"
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


class ServerClient:
    """`@openfeature/ofrep-provider`."""

    def __init__(self, node: Node, token: str | None) -> None:
        self._node = node
        self._headers = [["Authorization", f"Bearer {token}"]] if token else []

    async def connect(self, url: str, **context: object) -> None:
        await self._node.ask("server", {"baseUrl": url, "headers": self._headers})

    async def details(self, flag: str, default: object, **context: object) -> Details:
        return _details(await self._node.ask("server_details", flag, default, context))


class WebClient:
    """`@openfeature/ofrep-web-provider`, whose context is set before it is asked.

    Unless told otherwise it stores nothing, so that what it says is what the sidecar has said.
    """

    def __init__(self, node: Node, token: str | None, **options: object) -> None:
        self.node = node
        headers = [["X-API-Key", token]] if token else []
        self._options = {"headers": headers, "cacheMode": "disabled", **options}

    async def connect(self, url: str, **context: object) -> None:
        try:
            await self.node.ask("web", {"baseUrl": url, **self._options}, context)
        except RuntimeError as error:
            self.refusal = str(error)

    async def details(self, flag: str, default: object, **context: object) -> Details:
        if context:
            await self.set_context(**context)
        return _details(await self.node.ask("web_details", flag, default))

    async def set_context(self, **context: object) -> None:
        """Replace the context of all questions from here on."""
        await self.node.ask("web_context", context)

    async def events(self, kind: str) -> list[list[str]]:
        """Return, of each event of a kind since the last call, which flags it names."""
        return [sorted(event["flags"]) for event in await self.node.ask("web_events") if event["type"] == kind]

    async def requests(self) -> list[dict[str, Any]]:
        """Return the requests that were answered since the last call."""
        return list(await self.node.ask("requests"))

    refusal: str | None = None
    """Why the provider could not be set up."""


def _details(given: Mapping[str, Any]) -> Details:
    metadata = given.get("flagMetadata") or {}
    return Details(given["value"], given["reason"], given.get("variant"), given.get("errorCode"), metadata)


@asynccontextmanager
async def node_process() -> AsyncIterator[Node]:
    """Run the application; skip the test where there is no Node.js, or fail in CI."""
    process = await asyncio.create_subprocess_exec(
        await asyncio.to_thread(node_app, APP), "client.mjs", cwd=APP, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield Node(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(WAIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
    assert process.returncode == 0


@asynccontextmanager
async def client_of(kind: str, token: str | None = None, **options: object) -> AsyncIterator[Client]:
    """Yield a client of one kind: python, server or web."""
    if kind == "python":
        client = PythonClient(token)
        try:
            yield client
        finally:
            client.close()
        return
    async with node_process() as node:
        yield ServerClient(node, token) if kind == "server" else WebClient(node, token, **options)


@asynccontextmanager
async def connected_clients(url: str, **context: object) -> AsyncIterator[Mapping[str, Client]]:
    """Yield a client of each kind, connected to a sidecar."""
    async with AsyncExitStack() as running:
        clients = {kind: await running.enter_async_context(client_of(kind)) for kind in KINDS}
        for client in clients.values():
            await client.connect(url, **context)
        yield clients


async def until_seen(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Wait until a client is told what is wanted."""
    seen = await ask()
    try:
        async with asyncio.timeout(WAIT_S):
            while seen != wanted:
                await asyncio.sleep(0.01)
                seen = await ask()
    except TimeoutError:
        raise AssertionError(f"expected {wanted}, the last was {seen}") from None
