"""Bodies that nobody asked for: such as unpack to a gigabyte, and such as never end."""

import asyncio
import time
import zlib
from collections.abc import Iterator
from functools import lru_cache

from hostile_bench.measure import Attack, Told, tally
from hostile_bench.system import Listener, System
from hostile_bench.wire import Seen, request, talk

GIBIBYTE = 1 << 30
_QUICK_BYTES = 1 << 28
_CHUNK = 1 << 20
_ENDLESS_BYTES = 10 * GIBIBYTE
_MOST_BYTES = GIBIBYTE
"""How much of an endless body is sent at most."""
_ENDLESS_S = 12.0
_QUICK_ENDLESS_S = 2.0

ROUTES = {
    "flags": ("/v1/flags/route/outcomes", "/ofrep/v1/evaluate/flags", "/healthz", "/nowhere"),
    "proxy": ("/svc/bomb", "/nowhere"),
    "tower": ("/api/v1/apps/shop/flags", "/healthz", "/nowhere"),
    "aerobat": ("/v1/status", "/healthz", "/nowhere"),
}
"""Some that there are and one that there is not."""


@lru_cache
def packed(size: int, wbits: int) -> bytes:
    """Return so many zeros, packed: 31 makes gzip, 15 what HTTP calls deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    zeros = bytes(_CHUNK)
    return b"".join([*(packer.compress(zeros) for _ in range(size // _CHUNK)), packer.flush()])


@lru_cache
def packed_twice(size: int) -> bytes:
    """Return a gzip of a gzip."""
    return zlib.compress(packed(size, 31), 9, 31)


def _bomb(target: str, body: bytes, coding: str) -> bytes:
    return request("POST", target, body, Content_Encoding=coding)


async def _bombs(listeners: list[Listener], coding: str, body: bytes, at_once: int = 1, routes: int = 4) -> Told:
    told = {}
    for listener in listeners:
        seen: list[Seen] = []
        for target in ROUTES[listener.name][:routes]:
            message = _bomb(target, body, coding)
            seen += await asyncio.gather(*(talk(listener.address, (message,), wait_s=30) for _ in range(at_once)))
        told[listener.name] = tally(one.label for one in seen)
    return told


def _size(system: System) -> int:
    return _QUICK_BYTES if system.quick else GIBIBYTE


async def gzip_bomb(system: System, listeners: list[Listener]) -> Told:
    """Send one to each of several routes."""
    return await _bombs(listeners, "gzip", packed(_size(system), 31))


async def gzip_bombs(system: System, listeners: list[Listener]) -> Told:
    """Send four at once to one of them."""
    return await _bombs(listeners, "gzip", packed(_size(system), 31), at_once=4, routes=1)


async def deflate_bomb(system: System, listeners: list[Listener]) -> Told:
    """Send the same in the other coding that everybody knows."""
    return await _bombs(listeners, "deflate", packed(_size(system), 15), routes=1)


async def other_codings(system: System, listeners: list[Listener]) -> Told:
    """Name codings that may not be known, and two at once."""
    told = {}
    for listener in listeners:
        labels = []
        bodies = (("br", b"\x8b\x02\x80"), ("zstd", b"\x28\xb5\x2f\xfd"), ("x-gzip", packed(_QUICK_BYTES, 31)))
        for coding, body in (*bodies, ("gzip, gzip", packed_twice(_QUICK_BYTES)), ("compress", b"\x1f\x9d")):
            seen = await talk(listener.address, (_bomb(ROUTES[listener.name][0], body, coding),), wait_s=20)
            labels.append(f"{coding} {seen.label}")
        told[listener.name] = ", ".join(labels)
    return told


def _endless(chunked: bool) -> Iterator[bytes]:
    piece = bytes(65_536)
    if chunked:
        piece = b"10000\r\n%b\r\n" % piece
    for _ in range(_MOST_BYTES // len(piece)):
        yield piece


def _head(target: str, chunked: bool) -> bytes:
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {_ENDLESS_BYTES}"
    return f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n{framing}\r\n\r\n".encode()


async def endless(system: System, listeners: list[Listener]) -> Told:
    """Send a body without an end after what is refused; say how much was taken, and whether the refusal was read."""
    wait_s = _QUICK_ENDLESS_S if system.quick else _ENDLESS_S
    told = {}
    for listener in listeners:
        said = []
        for chunked in (True, False):
            target = "/nowhere"
            parts = (part for part in (_head(target, chunked), *_endless(chunked)))
            began = time.monotonic()
            seen = await talk(listener.address, parts, wait_s=wait_s, whole=False)
            read = "read" if seen.status is not None else "not read"
            said.append(
                f"{'chunked' if chunked else '10 GB'}: {seen.status or 'no answer'} ({read}), {seen.end} after "
                f"{time.monotonic() - began:.1f} s, {seen.sent / 2**20:.0f} MiB sent"
            )
        told[listener.name] = "; ".join(said)
    return told


async def trickle(system: System, listeners: list[Listener]) -> Told:
    """Go on with a byte a second after a refusal, on 50 connections."""
    wait_s = 3.0 if system.quick else 15.0

    def parts() -> Iterator[bytes]:
        yield _head("/nowhere", chunked=False)
        for _ in range(600):
            yield b"x"

    async def one(listener: Listener) -> tuple[str, str]:
        seen = await asyncio.gather(
            *(talk(listener.address, parts(), wait_s=wait_s, pause_s=1.0, whole=False) for _ in range(50))
        )
        return listener.name, tally(one.label for one in seen)

    return dict(await asyncio.gather(*(one(listener) for listener in listeners)))


ATTACKS = (
    Attack("gzip bomb, each of several routes", gzip_bomb),
    Attack("gzip bombs, four at once", gzip_bombs),
    Attack("deflate bomb", deflate_bomb),
    Attack("other and nested codings", other_codings),
    Attack("endless body after a refusal", endless),
    Attack("a byte a second after a refusal, 50 connections", trickle, together=True),
)
