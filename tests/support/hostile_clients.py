"""What must hold while clients are hostile, said of a running system: the words of `test_hostile_clients`.

The system, the bystander who calls all the while, and the bytes that are sent are those of `benchmarks/hostile.py`.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hostile_bench.malformed import shape_of
from hostile_bench.system import Listener, System, running_system
from hostile_bench.vitals import Vitals, forget_peak
from hostile_bench.wire import Seen, ended

MEBIBYTE = 1 << 20
TREE = Path(__file__).parents[2]
WAIT_S = 30.0
SIDECAR = {"flags_limits": {"head_timeout_ms": 3_000, "body_timeout_ms": 3_000}}
"""What is in the sidecar's file, so that no test waits for the defaults."""


@asynccontextmanager
async def hostile_stage() -> AsyncIterator[System]:
    """Run a sidecar, Tower and Aerobat on real servers, with a bystander who calls them all the while."""
    async with running_system(TREE, quick=True, sidecar=SIDECAR) as system:
        yield system


@dataclass
class Harm:
    """What was done to a process in a time, and to everybody else; complete at the end of the block."""

    before: Vitals
    after: Vitals
    failed: list[str]
    """The proxied calls that were not answered 200."""

    @property
    def memory_kept(self) -> int:
        """By how many bytes it has grown."""
        return self.after.memory - self.before.memory

    @property
    def memory_taken(self) -> int:
        """By how many bytes it had grown at its highest."""
        return self.after.peak_memory - self.before.memory

    @property
    def tracebacks(self) -> int:
        """How many it has logged."""
        return self.after.tracebacks - self.before.tracebacks


@asynccontextmanager
async def harm_to(system: System, listener: Listener) -> AsyncIterator[Harm]:
    """Watch a process during the block, and until everybody is answered promptly again."""
    await system.until_calm()
    process = listener.process
    before = process.look()
    forget_peak(process.pid)
    harm = Harm(before, before, [])
    began = time.monotonic()
    yield harm
    await system.until_calm()
    harm.after = process.look()
    harm.failed = [result for _, result in system.probes.of("proxy", began, time.monotonic()) if result != "200"]


def shape(seen: Seen, *, ofrep: bool = False) -> str:
    """Return `ours`, `accepted`, or what is wrong with an answer."""
    head, _, body = seen.data.partition(b"\r\n\r\n")
    while head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
        head, _, body = body.partition(b"\r\n\r\n")
    kinds = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-type:")]
    if ofrep and b'"error"' in body:
        return "not OFREP's"
    return shape_of(seen.status, kinds[0].strip().decode() if kinds else "", body, ofrep=ofrep)


def body_of(seen: Seen) -> dict[str, object]:
    """Return the JSON object of an answer."""
    body = json.loads(seen.data.partition(b"\r\n\r\n")[2])
    assert isinstance(body, dict)
    return body


async def until_ended(connections: list[socket.socket], timeout_s: float) -> list[bytes]:
    """Wait until the server has ended all of them; return what it said to each. Fails when some stay."""
    said = dict.fromkeys(range(len(connections)), b"")
    left = set(said)
    async with asyncio.timeout(timeout_s):
        while left:
            for number in list(left):
                is_over, more = ended(connections[number])
                said[number] += more
                if is_over:
                    left.discard(number)
            await asyncio.sleep(0.05)
    return list(said.values())


async def until(holds: Callable[[], Awaitable[bool]], timeout_s: float = WAIT_S) -> None:
    """Wait until something holds; fail when it does not in time."""
    async with asyncio.timeout(timeout_s):
        while not await holds():
            await asyncio.sleep(0.05)
