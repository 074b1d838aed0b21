"""Foreign pages in a browser of this machine, and reports of anybody on it."""

import asyncio
import json
import time
from collections.abc import Mapping

from hostile_bench.measure import Attack, Told, tally
from hostile_bench.system import Listener, System
from hostile_bench.wire import request, talk

_EVIL = "evil.example"
_READS = {
    "flags": ("/v1/flags/route", "/v1/flags", "/v1/status", "/metrics", "/healthz", "/readyz", "/ofrep/v1/events"),
    "proxy": ("/svc/ok",),
    "tower": ("/healthz", "/readyz", "/metrics", "/api/v1/apps"),
    "aerobat": ("/healthz", "/readyz", "/metrics", "/v1/status"),
}
_WRITES = {
    "flags": (
        ("POST", "/v1/flags/flag-9/outcomes", {"outcome": "success"}),
        ("POST", "/ofrep/v1/evaluate/flags", {"context": {"targetingKey": "u1"}}),
    ),
    "proxy": (("POST", "/svc/ok", {}),),
    "tower": (("POST", "/api/v1/apps", {"key": "evil"}),),
    "aerobat": (),
}


async def rebound(_: System, listeners: list[Listener]) -> Told:
    """Read under a name that was rebound to this machine."""
    told = {}
    for listener in listeners:
        port = listener.address[1]
        said = []
        for target in _READS[listener.name]:
            message = request("GET", target, host=f"{_EVIL}:{port}")
            said.append(f"{target} {(await talk(listener.address, (message,), wait_s=3)).status}")
        told[listener.name] = ", ".join(said)
    return told


async def rebound_names(_: System, listeners: list[Listener]) -> Told:
    """Try names that only look like this machine's, and forms of its addresses."""
    names = (
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "127.0.0.1%00.evil.example",
        "evil.example@127.0.0.1",
        "[::ffff:127.0.0.1]",
        "192.168.1.1",
        "localhost:1",
        "",
    )
    told = {}
    for listener in listeners:
        target = "/svc/ok" if listener.name == "proxy" else "/healthz"
        said = []
        for name in names:
            seen = await talk(listener.address, (request("GET", target, host=name),), wait_s=3)
            said.append(f"{name or '(empty)'} {seen.status}")
        told[listener.name] = ", ".join(said)
    return told


async def foreign_origin(system: System, listeners: list[Listener]) -> Told:
    """Write from a page of another origin, as a browser says so."""
    forms: tuple[Mapping[str, str], ...] = (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-site"},
    )
    told = {}
    for listener in listeners:
        said = []
        for method, target, body in _WRITES[listener.name]:
            for form in forms:
                fields = dict(form)
                if listener.name == "tower":
                    fields["Authorization"] = f"Bearer {system.token}"
                message = request(method, target, json.dumps(body).encode(), **fields)
                seen = await talk(listener.address, (message,), wait_s=3)
                said.append(f"{target} {' '.join(form.values())} {seen.status}")
        told[listener.name] = ", ".join(said)
    return told


async def _circuit(system: System, flag: str) -> object:
    return (await system.ask_json("flags", request("GET", f"/v1/flags/{flag}?targeting_key=u1"))).get("circuit")


async def opens(system: System, listeners: list[Listener]) -> Told:
    """Open a circuit by one report of 1,000 failures."""
    body = json.dumps([{"outcome": "failure"}] * 1_000).encode()
    seen = await talk(listeners[0].address, (request("POST", "/v1/flags/reported/outcomes", body),), wait_s=5)
    began = time.monotonic()
    wait_s = 3.0 if system.quick else 8.0
    state = await _circuit(system, "reported")
    while state != "open" and time.monotonic() - began < wait_s:
        await asyncio.sleep(0.05)
        state = await _circuit(system, "reported")
    said = seen.data.rpartition(b"\r\n\r\n")[2].decode(errors="replace")
    return {"flags": f"{seen.label} {said}, circuit {state}"}


async def masks(system: System, listeners: list[Listener]) -> Told:
    """Report successes all the while that every proxied call of the flag fails, in a report for each 50 ms."""
    body = json.dumps([{"outcome": "success", "count": 1_000}]).encode()
    report = request("POST", "/v1/flags/masked/outcomes", body)
    taken: list[str] = []

    async def go_on() -> None:
        while True:
            taken.append((await talk(listeners[0].address, (report,), wait_s=5)).label)
            await asyncio.sleep(0.05)

    reporting = asyncio.create_task(go_on())
    try:
        await asyncio.sleep(1.0)
        fails = request("GET", "/masked/fail")
        calls = [await talk(system.listeners["proxy"].address, (fails,), wait_s=5) for _ in range(200)]
        await asyncio.sleep(1.0 if system.quick else 4.0)
        state = await _circuit(system, "masked")
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
    answers = tally(str(call.status) for call in calls)
    return {"flags": f"reports {tally(taken)}; 200 failing calls: {answers}; circuit {state}"}


async def huge_report(_: System, listeners: list[Listener]) -> Told:
    """Report a thousand million successes at once."""
    body = json.dumps([{"outcome": "success", "count": 1_000_000}] * 1_000).encode()
    seen = await talk(listeners[0].address, (request("POST", "/v1/flags/flag-8/outcomes", body),), wait_s=5)
    said = seen.data.rpartition(b"\r\n\r\n")[2].decode(errors="replace")
    return {"flags": f"{seen.label} {said}"}


ATTACKS = (
    Attack("foreign page: rebound name reads", rebound, together=True),
    Attack("foreign page: names that look like ours", rebound_names, together=True),
    Attack("foreign page: writes", foreign_origin, together=True),
    Attack("one report of 1,000 failures", opens, ("flags",)),
    Attack("one report of 10⁹ successes", huge_report, ("flags",)),
    Attack("a steady report of successes", masks, ("flags",)),
)
