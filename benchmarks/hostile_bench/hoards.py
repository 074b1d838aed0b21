"""What makes a process keep memory: many different names, heads, targets, and requests that wait."""

import asyncio
from collections.abc import Callable

from hostile_bench.measure import Attack, Run, Told, tally
from hostile_bench.system import Listener, System
from hostile_bench.wire import crowd, flood, request, talk

_TIMES = 1_000


def _hosts(absolute: bool) -> Run:
    async def run(_: System, listeners: list[Listener]) -> Told:
        told = {}
        for listener in listeners:
            labels = []
            for start in range(0, _TIMES, 50):
                messages = []
                for index in range(start, start + 50):
                    name = f"h{index}." + "a" * 60_000
                    target = f"http://{name[:7_000]}/svc/ok" if absolute else "/svc/ok"
                    messages.append(request("GET", target, host=name))
                seen = await asyncio.gather(*(talk(listener.address, (one,), wait_s=20) for one in messages))
                labels += [one.label for one in seen]
            told[listener.name] = tally(labels)
        return told

    return run


def _varied(make: Callable[[int], bytes], times: int = _TIMES) -> Run:
    async def run(_: System, listeners: list[Listener]) -> Told:
        told = {}
        for listener in listeners:
            labels: list[str] = []
            for start in range(0, times, 50):
                seen = await asyncio.gather(
                    *(talk(listener.address, (make(index),), wait_s=20) for index in range(start, start + 50))
                )
                labels += [one.label for one in seen]
            told[listener.name] = tally(labels)
        return told

    return run


def hot_head(index: int) -> bytes:
    # For the front door: different each time, and as long as it takes.
    fields = {f"X-Pad-{index}": "a" * 7_500}
    return request("POST", "/ofrep/v1/evaluate/flags/flag-1", b'{"context":{"targetingKey":"u"}}', **fields)


def _hot_head_kept(index: int) -> bytes:
    return request("GET", f"/v1/flags/flag-{index % 100}?targeting_key=u{index}", X_Pad=f"{index}" + "a" * 7_400)


def _unknown_key(index: int) -> bytes:
    return request("POST", f"/ofrep/v1/evaluate/flags/k{index}" + "k" * 16_000, b'{"context":{"targetingKey":"u"}}')


def _unknown_flag(index: int) -> bytes:
    return request("GET", f"/v1/flags/k{index}" + "k" * 7_000)


def _odd_method(index: int) -> bytes:
    return request(f"M{index}" + "X" * 40, "/healthz")


def _odd_path(index: int) -> bytes:
    return request("GET", f"/odd-{index}-" + "p" * 7_000)


def _cookie(index: int) -> bytes:
    return request("GET", "/svc/ok", Cookie="; ".join(f"c{index}{place}=v" for place in range(4_000)))


async def behind_a_slow_call(system: System, listeners: list[Listener]) -> Told:
    """Pipeline 2 MB of requests behind a call that takes its time, on 50 connections."""
    slow = request("GET", "/slow")
    small = b"GET /svc/ok HTTP/1.1\r\nHost: h\r\n\r\n"
    block = slow + small * (2_000_000 // len(small))
    async with crowd(listeners[0].address, 50) as held:
        sent = sum(await asyncio.gather(*(flood(one, block, most=1, seconds=3.0) for one in held)))
        peak = listeners[0].process.look().memory
    return {"proxy": f"{sent / 2**20:.0f} MiB taken of 50 connections, {peak / 2**20:.0f} MiB resident then"}


_EVERY = ("flags", "proxy", "tower", "aerobat")
_KINDS: tuple[tuple[str, Run, tuple[str, ...]], ...] = (
    ("1,000 Hosts of 60 kB", _hosts(absolute=False), _EVERY),
    ("1,000 Hosts of 60 kB, absolute form", _hosts(absolute=True), _EVERY),
    ("2 MB pipelined behind a slow call", behind_a_slow_call, ("proxy",)),
    ("5,000 heads of 7.5 kB, POST", _varied(hot_head, 5_000), ("flags",)),
    ("5,000 heads of 7.4 kB, GET", _varied(_hot_head_kept, 5_000), ("flags",)),
    ("1,000 unknown keys of 16 kB", _varied(_unknown_key), ("flags",)),
    ("1,000 unknown flags of 7 kB", _varied(_unknown_flag), ("flags",)),
    ("1,000 odd methods", _varied(_odd_method), _EVERY),
    ("1,000 odd paths of 7 kB", _varied(_odd_path), _EVERY),
    ("1,000 cookies of 60 kB", _varied(_cookie), _EVERY),
)
ATTACKS = tuple(Attack(*kind) for kind in _KINDS)
