"""Traffic for the proxy from raw bytes: one call, or many of many kinds at once; and what the sidecar says of itself.

What becomes of each call is counted here; what should have become of it is the tests' own. Upstreams that end calls in
all these ways are in `proxy_endings`.
"""

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sidecar_bench import WAIT_S, Sidecar

DEADLINE_S = 15.0
"""A call without an end by then hangs."""
Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


# The clients


async def connect(sidecar: Sidecar) -> Talk:
    host, _, port = sidecar.proxy.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):  # broken off by the other side
        await writer.wait_closed()


@asynccontextmanager
async def connection(sidecar: Sidecar) -> AsyncIterator[Talk]:
    """Yield a connection to the proxy, on which nothing may take for ever."""
    reader, writer = await connect(sidecar)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield reader, writer
    finally:
        await close(writer)


@dataclass(frozen=True)
class Answer:
    """A whole answer; `head` is in lower case, `body` without its chunks."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first field of a name in lower case; None without one."""
        for line in self.head.split(b"\r\n")[1:]:
            found, _, value = line.decode("latin-1").partition(":")
            if found == name:
                return value.strip()
        return None


class BrokenOffError(Exception):
    """The connection ended amid an answer."""


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read an answer with a length or in chunks.

    Raises `BrokenOffError` if it ends too early, `IncompleteReadError` or `ConnectionError` if not even its head comes.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    try:
        return Answer(int(head.split(b" ", 2)[1]), head, await _read_body(reader, head))
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise BrokenOffError from error


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"\r\ntransfer-encoding: chunked" not in head:
        return await reader.readexactly(int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0] or 0))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


async def ask(sidecar: Sidecar, request: bytes) -> Answer:
    """Send bytes as they are on a connection of their own, and return the answer."""
    async with connection(sidecar) as (reader, writer):
        writer.write(request)
        return await read_answer(reader)


def get(path: str, **headers: str) -> bytes:
    """Return a GET for the user u1."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: shop.example\r\nX-User-Id: u1\r\n{lines}\r\n".encode()


BODY = b"a body of some bytes"


def post(path: str, body: bytes = BODY, method: str = "POST") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: shop.example\r\nX-User-Id: u1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def post_chunks(path: str, *pieces: bytes, method: str = "POST") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: shop.example\r\nX-User-Id: u1\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


BROKEN_OFF = "broken off"
UNANSWERED = "unanswered"
LEFT = "left"
TURNED_AWAY = "turned away"


@dataclass(frozen=True)
class Kind:
    """A call; `leaves` says that the client does not wait for its answer."""

    name: str
    request: bytes
    leaves: bool = False


class Caller:
    """One connection that is kept as long as the proxy keeps it; each call has an end, or the test has failed."""

    def __init__(self, sidecar: Sidecar, chance: random.Random) -> None:
        self._sidecar = sidecar
        self._chance = chance
        self._talk: Talk | None = None

    async def call(self, kind: Kind) -> str:
        """Return the status of a whole answer, `BROKEN_OFF` after a part of one, `UNANSWERED` before any byte of it.

        `TURNED_AWAY` where nobody listens any more, and `LEFT` for those that do not wait.
        """
        if self._talk is None:
            try:
                self._talk = await connect(self._sidecar)
            except ConnectionRefusedError:
                return TURNED_AWAY
        reader, writer = self._talk
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._call(kind, reader, writer)
        except BrokenOffError:
            await self.close()
            return BROKEN_OFF
        except (asyncio.IncompleteReadError, ConnectionError):
            await self.close()
            return UNANSWERED

    async def _call(self, kind: Kind, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(kind.request)
        if kind.leaves:
            await asyncio.sleep(self._chance.choice((0.0, 0.0, 0.001, 0.01)))
            await self.close()
            return LEFT
        answer = await read_answer(reader)
        if answer.status == 101:
            writer.write(b"echo")
            assert await reader.readexactly(4) == b"echo"
        if answer.status == 101 or b"\r\nconnection: close\r\n" in answer.head:
            await self.close()
        return str(answer.status)

    async def close(self) -> None:
        talk, self._talk = self._talk, None
        if talk is not None:
            await close(talk[1])


@dataclass
class Load:
    """Calls of many kinds over some connections at once; what became of them, by kind."""

    sidecar: Sidecar
    kinds: Sequence[Kind]
    connections: int = 24
    seed: int = 4
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    stopped: bool = False

    async def run(self, calls: int | None = None) -> None:
        """Make so many calls, or call until `stopped`."""
        left = iter(range(calls)) if calls is not None else None
        async with asyncio.TaskGroup() as group:
            for number in range(self.connections):
                group.create_task(self._run(random.Random(self.seed + number), left))

    async def _run(self, chance: random.Random, left: Iterator[int] | None) -> None:
        caller = Caller(self.sidecar, chance)
        try:
            while not self.stopped and (left is None or next(left, None) is not None):
                kind = chance.choice(self.kinds)
                result = await caller.call(kind)
                self.ended[kind.name, result] += 1
                if result == TURNED_AWAY:
                    return
        finally:
            await caller.close()

    def total(self, *results: str) -> int:
        """Return how many calls ended so, of whatever kind."""
        return sum(count for (_, result), count in self.ended.items() if result in results)

    async def until(self, result: str, more: int = 1) -> None:
        """Wait until so many more calls have ended so."""
        target = self.total(result) + more
        async with asyncio.timeout(WAIT_S):
            while self.total(result) < target:
                await asyncio.sleep(0.01)


# The sidecar seen from outside


def descriptors(sidecar: Sidecar) -> int:
    return sum(1 for _ in Path(f"/proc/{sidecar.process.pid}/fd").iterdir())


def resident_bytes(sidecar: Sidecar) -> int:
    pages = int(Path(f"/proc/{sidecar.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def metrics(sidecar: Sidecar) -> dict[str, float]:
    """Return all samples of `/metrics`, each by its name with labels."""
    async with sidecar.flags() as session, session.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


async def calls_by_result(sidecar: Sidecar, side: str = "feature") -> dict[str, float]:
    """Return how calls have ended by the proxy's own account, over all routes."""
    found: Counter[str] = Counter()
    for name, value in (await metrics(sidecar)).items():
        if name.startswith("tailslide_sidecar_proxied_calls_total{") and f'side="{side}"' in name and value:
            found[name.partition('result="')[2].partition('"')[0]] += value  # type: ignore[assignment] # counts are whole
    return dict(found)


_AT_REST = (
    "tailslide_sidecar_proxied_running",
    "tailslide_sidecar_proxy_connections",
    "tailslide_sidecar_upstream_connections",
)


async def until_at_rest(sidecar: Sidecar) -> int:
    """Wait until no call runs and no connection is open on either side; return how many descriptors are open then."""
    restless: dict[str, float] = {}

    async def at_rest() -> bool:
        nonlocal restless
        found = await metrics(sidecar)
        restless = {name: value for name, value in found.items() if value and name.partition("{")[0] in _AT_REST}
        return not restless

    try:
        await sidecar.until(at_rest)
    except TimeoutError:
        raise AssertionError(f"not at rest: {restless}") from None
    return await settled_descriptors(sidecar)


async def settled_descriptors(sidecar: Sidecar) -> int:
    """Return the number of descriptors without that of the question itself: the least of a few looks."""
    looks = []
    for _ in range(5):
        looks.append(descriptors(sidecar))
        await asyncio.sleep(0.02)
    return min(looks)
