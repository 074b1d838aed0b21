"""Attacks that are none of the usual ones: well-formed bytes in unusual numbers, and clients that do not read."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence

from hostile_bench.bodies import ROUTES
from hostile_bench.measure import Attack, Run, Told, tally
from hostile_bench.questions import context, many_items
from hostile_bench.system import Listener, System
from hostile_bench.wire import crowd, ended, flood, request, talk

_BULK = "/ofrep/v1/evaluate/flags"
_READERS = {"flags": _BULK, "proxy": "/svc/chunks", "tower": "/api/v1/apps/shop/flags", "aerobat": "/v1/status"}
"""Routes that read a body, where there is one."""
_DEAR = {"flags": "/metrics", "proxy": "/nowhere", "tower": "/metrics", "aerobat": "/metrics"}


def _chunked_head(system: System, listener: Listener) -> bytes:
    auth = f"Authorization: Bearer {system.token}\r\n" if listener.name == "tower" else ""
    return (
        f"POST {_READERS[listener.name]} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{auth}"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()


async def tiny_chunks(system: System, listeners: list[Listener]) -> Told:
    """Send a body of 900,000 bytes, each in a chunk of its own."""
    told = {}
    for listener in listeners:
        head = _chunked_head(system, listener)
        chunks = b"1\r\n \r\n" * 900_000 + b"2\r\n{}\r\n0\r\n\r\n"
        parts = [head, *(chunks[start : start + 65_536] for start in range(0, len(chunks), 65_536))]
        seen = await talk(listener.address, parts, wait_s=60)
        told[listener.name] = f"{seen.label} after {seen.took_s:.1f} s"
    return told


async def endless_extension(system: System, listeners: list[Listener]) -> Told:
    """Send one chunk extension without an end."""
    wait_s = 2.0 if system.quick else 12.0

    def parts(head: bytes) -> Iterator[bytes]:
        yield head
        for _ in range(16_384):
            yield b"x" * 65_536

    told = {}
    for listener in listeners:
        head = _chunked_head(system, listener)
        seen = await talk(listener.address, parts(head + b"2;"), wait_s=wait_s, whole=False)
        told[listener.name] = f"{seen.label} after {seen.took_s:.1f} s, {seen.sent / 2**20:.0f} MiB sent"
    return told


async def many_tags(_: System, listeners: list[Listener]) -> Told:
    """Compare a hundred fields of 8,000 commas with the tag of the answer, ten times."""
    line = "If-None-Match: " + "," * 8_000 + "\r\n"
    body = b'{"context":{"targetingKey":"u1"}}'
    head = f"POST {_BULK} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{line * 100}"
    message = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
    seen = await talk(listeners[0].address, (message * 10,), wait_s=60, whole=False)
    return {"flags": f"{seen.label}, {seen.data.count(b'HTTP/1.1 ')} of 10 answered"}


async def long_key(_: System, listeners: list[Listener]) -> Told:
    """Ask for all flags of a user whose key has a megabyte, ten times."""
    body = b'{"context":{"targetingKey":"%b"}}' % (b"u" * 1_000_000)
    seen = await talk(listeners[0].address, (request("POST", _BULK, body) * 10,), wait_s=20, whole=False)
    return {"flags": f"{seen.label}, {seen.data.count(b'HTTP/1.1 ')} of 10 answered"}


async def _pipelined(listener: Listener, message: bytes, count: int, wait_s: float, until: int) -> str:
    """Send a request so often in one go and read all answers; say how many came."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(*listener.address)
    answers = 0
    try:
        async with asyncio.timeout(wait_s):
            writer.write(message * count)
            while answers < until:
                more = await reader.read(1 << 20)
                if not more:
                    break
                answers += more.count(b"HTTP/1.1 ")
    except (TimeoutError, ConnectionError):
        pass  # told by the number
    finally:
        writer.transport.abort()
    return f"{answers} of {count} in {time.monotonic() - began:.1f} s"


async def dear_pages(system: System, listeners: list[Listener]) -> Told:
    """Ask for the metrics, or what is there, 1,000 times in one go."""
    told = {}
    for listener in listeners:
        message = request("GET", _DEAR[listener.name])
        told[listener.name] = await _pipelined(listener, message, 1_000, 10.0 if system.quick else 30.0, 1_000)
    return told


async def refusals(system: System, listeners: list[Listener]) -> Told:
    """Ask for what is not there, 2,000 times in one go, on ten connections."""
    told = {}
    for listener in listeners:
        message = request("GET", "/nowhere")
        wait_s = 10.0 if system.quick else 30.0
        said = await asyncio.gather(*(_pipelined(listener, message, 2_000, wait_s, 2_000) for _ in range(10)))
        told[listener.name] = tally(text.partition(" in ")[0] for text in said)
    return told


async def hoarding(system: System, listeners: list[Listener]) -> Told:
    """Send requests for as long as they are taken, and read nothing, on four connections."""
    seconds = 2.0 if system.quick else 8.0
    told = {}
    for listener in listeners:
        target = "/svc/ok" if listener.name == "proxy" else "/metrics"
        block = request("GET", target) * 2_000
        async with crowd(listener.address, 4) as held:
            sent = sum(await asyncio.gather(*(flood(one, block, most=1 << 28, seconds=seconds) for one in held)))
            told[listener.name] = f"{sent / 2**20:.0f} MiB of requests taken of 4 connections"
    return told


async def behind_the_stream(system: System, listeners: list[Listener]) -> Told:
    """Pipeline requests behind the event stream, which never ends, on 20 connections."""
    seconds = 2.0 if system.quick else 6.0
    block = request("GET", "/healthz") * 2_000
    async with crowd(listeners[0].address, 20, request("GET", "/ofrep/v1/events")) as held:
        sent = sum(await asyncio.gather(*(flood(one, block, most=1 << 26, seconds=seconds) for one in held)))
    return {"flags": f"{sent / 2**20:.0f} MiB of requests taken of 20 connections"}


def _at_once(make: Callable[[Listener], Sequence[bytes]], count: int = 900) -> Run:
    """Return an attack of so many connections, which are all there before each asks once, all at the same moment.

    What is asked is the first of the messages that is not refused.
    """

    async def run(_: System, listeners: list[Listener]) -> Told:
        told = {}
        for listener in listeners:
            loop = asyncio.get_running_loop()
            for message in make(listener):
                status = (await talk(listener.address, (message,), wait_s=30)).status
                if status is not None and status < 300:
                    break
            async with crowd(listener.address, count, message[:-1]) as held:
                await asyncio.sleep(1.0)  # so that all but the last byte is there
                began = time.monotonic()
                await asyncio.gather(*(loop.sock_sendall(one, message[-1:]) for one in held), return_exceptions=True)
                answered = 0
                left = list(held)
                while left and time.monotonic() - began < 30:
                    await asyncio.sleep(0.05)
                    said = [ended(one) for one in left]
                    answered += sum(data.startswith(b"HTTP/1.1 ") for _, data in said)
                    left = [one for one, (over, data) in zip(left, said, strict=True) if not (over or data)]
                took_s = time.monotonic() - began
            told[listener.name] = f"{status}: {len(held)} connected, {answered} answered within {took_s:.1f} s"
        return told

    return run


def _page(listener: Listener) -> Sequence[bytes]:
    return (request("GET", _DEAR[listener.name]),)


def _all_flags(_: Listener) -> Sequence[bytes]:
    return (request("POST", _BULK, b'{"context":{"targetingKey":"u1","country":"DE"}}'),)


def dearest() -> Sequence[bytes]:
    """Return questions, the dearest first: the one that is taken costs what a question may cost."""
    return [
        request("POST", _BULK, context(many_items(items))) for items in (10_000, 5_000, 4_000, 3_000, 2_000, 1_000, 500)
    ]


def _largest_report(_: Listener) -> Sequence[bytes]:
    body = json.dumps([{"outcome": "success", "latency_ms": float(ms)} for ms in range(1_000)]).encode()
    return (request("POST", "/v1/flags/flag-7/outcomes", body),)


async def wrong_tokens(system: System, listeners: list[Listener]) -> Told:
    """Try tokens, a different one each time, on 200 connections."""
    wait_s = 3.0 if system.quick else 8.0
    until = time.monotonic() + wait_s
    count = 0

    async def one(number: int) -> str:
        nonlocal count
        label = ""
        while time.monotonic() < until:
            count += 1
            message = request("GET", "/api/v1/apps", Authorization=f"Bearer wrong-{number}-{count}")
            label = (await talk(listeners[0].address, (message,), wait_s=10)).label
        return label

    labels = await asyncio.gather(*(one(number) for number in range(200)))
    return {"tower": f"{count} tries in {wait_s:.0f} s; last answers {tally(labels)}"}


async def upgrades(system: System, listeners: list[Listener]) -> Told:
    """Wish for another protocol, then send requests as that, and see whether the connection goes on."""
    told = {}
    for listener in listeners:
        target = "/svc/ok" if listener.name == "proxy" else "/healthz"
        head = request("GET", target, Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13")
        seen = await talk(listener.address, (head, request("GET", target)), wait_s=3, whole=False)
        told[listener.name] = f"{seen.data.count(b'HTTP/1.1 ')} of 2 answered, {seen.end}"
    return told


async def tiny_report(_: System, listeners: list[Listener]) -> Told:
    """Report so many outcomes for so many flags that the buffer and Redis have to carry them, 100 times."""
    body = json.dumps([{"outcome": "success", "latency_ms": float(ms), "count": 1} for ms in range(1_000)]).encode()
    seen = await asyncio.gather(
        *(
            talk(listeners[0].address, (request("POST", f"/v1/flags/flag-{index}/outcomes", body),), wait_s=20)
            for index in range(100)
        )
    )
    return {"flags": tally(one.label for one in seen)}


async def small_objects(_: System, listeners: list[Listener]) -> Told:
    """Send a megabyte of JSON that consists of very small objects, on ten connections at once."""
    body = b"[" + b",".join([b'{"":1}'] * 140_000) + b"]"
    message = request("POST", "/v1/flags/flag-9/outcomes", body)
    seen = await asyncio.gather(*(talk(listeners[0].address, (message,), wait_s=30) for _ in range(10)))
    return {"flags": tally(one.label for one in seen)}


async def half_closed(system: System, listeners: list[Listener]) -> Told:
    """Send half a body, then close the sending half, on 50 connections, and wait."""
    wait_s = 2.0 if system.quick else 8.0

    async def one(listener: Listener) -> str:
        reader, writer = await asyncio.open_connection(*listener.address)
        target = ROUTES[listener.name][0]
        try:
            writer.write(request("POST", target, b"{" + b" " * 99)[:-50])
            writer.write_eof()
            async with asyncio.timeout(wait_s):
                data = await reader.read()
                return data.split(b" ", 2)[1].decode() + " closed" if data else "closed"
        except TimeoutError:
            return "open"
        except ConnectionError:
            return "reset"
        finally:
            writer.transport.abort()

    async def all_of(listener: Listener) -> tuple[str, str]:
        return listener.name, tally(await asyncio.gather(*(one(listener) for _ in range(50))))

    return dict(await asyncio.gather(*(all_of(listener) for listener in listeners)))


_EVERY = ("flags", "proxy", "tower", "aerobat")
ATTACKS = (
    Attack("900,000 chunks of a byte", tiny_chunks),
    Attack("a chunk extension without an end", endless_extension),
    Attack("a million entity tags, ten times", many_tags, ("flags",)),
    Attack("targeting key of 1 MB, ten times", long_key, ("flags",)),
    Attack("1,000 × metrics in one go", dear_pages),  # noqa: RUF001 # the sign of multiplication is meant
    Attack("2,000 refusals in one go, ten connections", refusals),
    Attack("requests as long as they are taken, none read", hoarding),
    Attack("requests behind the event stream", behind_the_stream, ("flags",)),
    Attack("900 ask for metrics at once", _at_once(_page)),
    Attack("900 ask for all flags at once", _at_once(_all_flags), ("flags",)),
    Attack("900 ask the dearest question at once", _at_once(lambda _: dearest()), ("flags",)),
    Attack("300 report 1,000 outcomes at once", _at_once(_largest_report, 300), ("flags",)),
    Attack("wrong tokens, 200 connections", wrong_tokens, ("tower",)),
    Attack("wish for another protocol", upgrades, _EVERY, together=True),
    Attack("100 reports of 1,000 outcomes", tiny_report, ("flags",)),
    Attack("1 MB of small objects, ten at once", small_objects, ("flags",)),
    Attack("half a body, then half closed", half_closed, _EVERY, together=True),
)
