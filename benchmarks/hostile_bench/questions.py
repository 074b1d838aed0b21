"""Single questions that are dear to answer."""

from collections.abc import Callable

from hostile_bench.measure import Attack, Run, Told
from hostile_bench.system import Listener, System
from hostile_bench.wire import request, talk

ITEMS = 520_000
BULK = "/ofrep/v1/evaluate/flags"
ONE = f"{BULK}/flag-1"


def context(attributes: str) -> bytes:
    """Return the body of a question whose context has these attributes, written as JSON."""
    return b'{"context":{"targetingKey":"u1",%b}}' % attributes.encode()


def many_items(items: int = ITEMS) -> str:
    """Return a list of so many items, the last of which compares with nothing."""
    return f'"country":[{",".join("1" for _ in range(items))}]'


def _asking(target: str, body: Callable[[], bytes]) -> Run:
    async def ask(_: System, listeners: list[Listener]) -> Told:
        message = request("POST", target, body())
        seen = await talk(listeners[0].address, (message,), wait_s=60)
        return {"flags": f"{seen.label} after {seen.took_s:.2f} s"}

    return ask


async def long_query(_: System, listeners: list[Listener]) -> Told:
    """Ask with as many repeated parameters as go into a target, and with more."""
    said = []
    for size in (7_000, 60_000, 1_000_000):
        query = "&".join("country=1" for _ in range(size // 10))
        for path in ("/v1/flags/flag-1", "/v1/flags"):
            seen = await talk(listeners[0].address, (request("GET", f"{path}?{query}"),), wait_s=30)
            said.append(f"{path} {size // 1000} kB {seen.label} {seen.took_s:.2f} s")
    return {"flags": ", ".join(said)}


async def pipelined(_: System, listeners: list[Listener]) -> Told:
    """Ask 200 middling questions in one go: 60 kB each, which the front door answers at once."""
    message = request("POST", BULK, context(many_items(30_000)))
    count = 200
    seen = await talk(listeners[0].address, (message * count,), wait_s=60, whole=False)
    answers = seen.data.count(b"HTTP/1.1 ")
    return {"flags": f"{answers} of {count} answered, {seen.took_s:.1f} s, {seen.end}"}


def _text() -> bytes:
    return context(f'"text":"{"needl" * 200_000}"')


def _texts() -> bytes:
    return context(f'"text":[{",".join(chr(34) + "x" * 60 + chr(34) for _ in range(15_000))}]')


def _version() -> bytes:
    identifiers = ".".join("9" for _ in range(500_000))
    return context(f'"text":"needle","app":"1.2.3-{identifiers}"')


def _versions() -> bytes:
    return context(f'"text":"needle","app":[{",".join(chr(34) + "1.2.3-a.b.c.d.e" + chr(34) for _ in range(55_000))}]')


def _attributes() -> bytes:
    return context(",".join(f'"a{index}":1' for index in range(90_000)))


def _numbers() -> bytes:
    return context(f'"country":[{",".join("1e308" for _ in range(170_000))}]')


def _deep() -> bytes:
    return context(f'"country":{"[" * 400_000}{"]" * 400_000}')


_FLAGS = ("flags",)
ATTACKS = tuple(
    Attack(name, run, _FLAGS)
    for name, run in (
        ("520,000 items, all flags", _asking(BULK, lambda: context(many_items()))),
        ("520,000 items, one flag", _asking(ONE, lambda: context(many_items()))),
        ("170,000 numbers, all flags", _asking(BULK, _numbers)),
        ("1 MB of text against contains", _asking(BULK, _text)),
        ("15,000 texts against contains", _asking(BULK, _texts)),
        ("1 MB version", _asking(BULK, _version)),
        ("55,000 versions", _asking(BULK, _versions)),
        ("90,000 attributes", _asking(BULK, _attributes)),
        ("JSON 400,000 deep", _asking(BULK, _deep)),
        ("long queries", long_query),
        ("200 pipelined questions of 30,000 items", pipelined),
    )
)
