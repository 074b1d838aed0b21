"""Many clients, which are slow, silent, or gone at once."""

import asyncio
import socket
import time
from collections.abc import Callable

from hostile_bench.measure import Attack, Run, Told, tally
from hostile_bench.system import Listener, System
from hostile_bench.wire import crowd, ended, flood, request, reset, talk

CROWD = 1_100
STREAM = "/ofrep/v1/events"
STREAM_PLACES = 256
_HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: "
_POSTS = {
    "flags": "/v1/flags/route/outcomes",
    "proxy": "/svc/half",
    "tower": "/api/v1/apps/shop/flags",
    "aerobat": "/healthz",
}


def _half_body(listener: Listener) -> bytes:
    return request("POST", _POSTS[listener.name], b"{" + b" " * 999)[:-900]


def _crowding(begins_with: Callable[[Listener], bytes], drips: bytes, wait_s: float, count: int = CROWD) -> Run:
    async def run(system: System, listeners: list[Listener]) -> Told:
        held_s = 2.0 if system.quick else wait_s

        async def one(listener: Listener) -> tuple[str, str]:
            async with crowd(listener.address, count, begins_with(listener)) as held:
                began = time.monotonic()
                answers: list[str] = []
                left = list(held)
                first_s = 0.0
                while left and time.monotonic() - began < held_s:
                    await asyncio.sleep(1.0)
                    left = [connection for connection in left if not _is_over(connection, drips, answers)]
                    if len(left) < len(held) and not first_s:
                        first_s = time.monotonic() - began
                text = f"{len(held)} of {count} connected, {len(held) - len(left)} ended within {held_s:.0f} s"
                if first_s:
                    text += f", the first after {first_s:.0f} s ({tally(answers)})"
                if left:
                    # Whether there is room for somebody with a request, while they are there.
                    seen = await talk(listener.address, (request("GET", "/healthz"),), wait_s=5)
                    text += f"; another is answered {seen.label}"
                return listener.name, text

        return dict(await asyncio.gather(*(one(listener) for listener in listeners)))

    return run


def _is_over(connection: socket.socket, drips: bytes, answers: list[str]) -> bool:
    over, said = ended(connection)
    if over:
        answers.append(said.split(b" ", 2)[1].decode() if said.count(b" ") > 1 else "nothing said")
        return True
    if drips:
        try:
            connection.send(drips)
        except OSError:
            answers.append("reset")
            return True
    return False


def _leaving(by: Callable[[socket.socket], None]) -> Run:
    async def run(_: System, listeners: list[Listener]) -> Told:
        listen = request("GET", STREAM)
        async with crowd(listeners[0].address, STREAM_PLACES, listen) as held:
            await asyncio.sleep(1.0)  # all are answered by then
            for connection in held:
                by(connection)
            began = time.monotonic()
            first = ""
            while time.monotonic() - began < 20:
                label = str((await talk(listeners[0].address, (listen,), wait_s=0.5)).status)
                first = first or label
                if label == "200":
                    break
                await asyncio.sleep(0.2)
        return {"flags": f"the next is answered {first} at once, 200 after {time.monotonic() - began:.1f} s"}

    return run


def _half_close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)


async def stream_heads(_: System, listeners: list[Listener]) -> Told:
    """Ask for the head of the stream only."""
    seen = await talk(listeners[0].address, (request("HEAD", STREAM),), wait_s=4, whole=False)
    first = f"HEAD {seen.label}"
    # What is asked behind it on the same connection is answered when it has ended.
    both = request("HEAD", STREAM) + request("GET", "/healthz")
    seen = await talk(listeners[0].address, (both,), wait_s=4, whole=False)
    return {"flags": f"{first}, {seen.data.count(b'HTTP/1.1')} of 2 pipelined answered, {seen.end}"}


async def resets(_: System, listeners: list[Listener]) -> Told:
    """Connect, ask, reset, 3,000 times."""
    told = {}
    for listener in listeners:
        done = 0
        for _turn in range(30):
            async with crowd(listener.address, 100, request("GET", "/healthz")) as held:
                for connection in held:
                    reset(connection)
                done += len(held)
                held.clear()
        told[listener.name] = f"{done} connected and reset"
    return told


async def not_reading(system: System, listeners: list[Listener]) -> Told:
    """Pipeline as many requests as are taken, and read none of the answers, on 50 connections."""
    paths = {"flags": "/metrics", "proxy": "/svc/ok", "tower": "/metrics", "aerobat": "/metrics"}
    told = {}
    for listener in listeners:
        message = request("GET", paths[listener.name])
        # So many that it comes to 2 MB for each connection.
        block = message * (2_000_000 // len(message))
        seconds = 2.0 if system.quick else 6.0
        async with crowd(listener.address, 50) as held:
            sent = sum(await asyncio.gather(*(flood(one, block, most=1, seconds=seconds) for one in held)))
            told[listener.name] = f"{sent / 2**20:.0f} MiB of requests taken of 50 connections"
    return told


async def few_places(system: System, listeners: list[Listener]) -> Told:
    """Take all descriptors of a sidecar by its flags listener, then see who still gets an answer."""
    told = {}
    for listener in listeners:
        async with crowd(listener.address, CROWD) as held:
            await asyncio.sleep(3.0)
            proxied = await asyncio.gather(
                *(talk(system.listeners["proxy"].address, (request("GET", "/svc/ok"),), wait_s=3) for _ in range(10))
            )
            flags = await talk(system.listeners["flags"].address, (request("GET", "/healthz"),), wait_s=3)
            told[listener.name] = (
                f"{len(held)} connected; new proxied calls: {tally(seen.label for seen in proxied)}; "
                f"a new question: {flags.label}"
            )
    return told


_EVERY = ("flags", "proxy", "tower", "aerobat")
_KINDS: tuple[tuple[str, Run, tuple[str, ...], bool, int], ...] = (
    ("1,100 connections that send nothing", _crowding(lambda _: b"", b"", 40.0), _EVERY, True, 4096),
    ("1,100 half heads, a byte a second", _crowding(lambda _: _HALF_HEAD, b"x", 20.0), _EVERY, True, 4096),
    ("300 half bodies, a byte a second", _crowding(_half_body, b" ", 45.0, 300), _EVERY, True, 4096),
    ("256 stream listeners leave by FIN", _leaving(socket.socket.close), ("flags",), False, 4096),
    ("256 stream listeners leave by RST", _leaving(reset), ("flags",), False, 4096),
    ("256 stream listeners close one half", _leaving(_half_close), ("flags",), False, 4096),
    ("HEAD on the stream", stream_heads, ("flags",), False, 4096),
    ("3,000 connections reset", resets, _EVERY, False, 4096),
    ("answers that nobody reads, 50 connections", not_reading, _EVERY, False, 4096),
    ("1,100 connections, 1,100 descriptors", few_places, ("flags", "proxy"), False, 1_100),
)
ATTACKS = tuple(Attack(*kind) for kind in _KINDS)
