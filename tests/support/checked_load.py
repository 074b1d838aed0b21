"""Questions to a sidecar at a steady rate, each answer checked against what the core says that it has to be.

What a flag may be at a moment is for the test to say: one truth, or two between a change and its arrival.
"""

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from sidecar_bench import Sidecar

from tailslide_core.circuit import Circuit
from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.flag_set import FlagSet
from tailslide_core.ruleset import Ruleset

RATE = 500
"""Questions a second, one in ten for all flags."""
CONNECTIONS = 5
BULK_EVERY = 10
ANSWER_TIMEOUT_S = 2.0
USERS = [f"user-{number}" for number in range(200)]


@dataclass(frozen=True)
class Truth:
    """What a flag may be: its ruleset, None when it does not exist, and its circuit."""

    ruleset: Ruleset | None
    circuit: Circuit | None = None

    def flags(self, flag: str) -> FlagSet:
        """Return an app that has this flag only, if it exists."""
        return FlagSet(
            {} if self.ruleset is None else {flag: self.ruleset}, {} if self.circuit is None else {flag: self.circuit}
        )


@dataclass
class Known:
    """What each flag may be at this moment: one truth, or two between a change and its arrival."""

    app: str
    truths: dict[str, list[Truth]] = field(default_factory=dict)
    _answers: dict[tuple[Truth, str, str], tuple[object, ...]] = field(default_factory=dict)

    def now(self, flag: str) -> Truth:
        return self.truths[flag][-1]

    def change(self, flag: str, truth: Truth) -> None:
        """From now on a flag may be this as well."""
        self.truths[flag] = [*self.truths.get(flag, []), truth]

    def arrived(self) -> None:
        """From now on each flag can only be what it was changed to last."""
        self.truths = {flag: truths[-1:] for flag, truths in self.truths.items()}

    def answers(self, flag: str, user: str) -> list[tuple[object, ...]]:
        """Return the right answers: on or off, reason, state of the circuit and version."""
        return [self._answer(truth, flag, user) for truth in self.truths[flag]]

    def _answer(self, truth: Truth, flag: str, user: str) -> tuple[object, ...]:
        key = (truth, flag, user)
        if key not in self._answers:
            context = Context(user, {"country": country(user)})
            found = evaluate(flag, truth.flags(flag), context)
            self._answers[key] = (found.active, found.reason, found.circuit, found.version)
        return self._answers[key]


def country(user: str) -> str:
    return "DE" if user.endswith(("1", "3", "5")) else "FR"


class Load:
    """Questions at a steady rate over several connections, each answer checked; the first wrong one ends the test."""

    def __init__(self, sidecar: Sidecar, known: Known) -> None:
        self._sidecar = sidecar
        self._known = known
        self.answered: Counter[str] = Counter()
        self.stale: set[bool] = set()
        self.slowest_s = 0.0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(CONNECTIONS):
                group.create_task(self._ask_on(random.Random(number)))

    async def _ask_on(self, chance: random.Random) -> None:
        reader, writer = await asyncio.open_unix_connection(str(self._sidecar.socket))
        try:
            due = time.monotonic()
            while True:
                await self._ask(reader, writer, chance)
                due = max(due + CONNECTIONS / RATE, time.monotonic() - 1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: random.Random) -> None:
        user, flag = chance.choice(USERS), chance.choice(list(self._known.truths))
        kind = "bulk" if chance.randrange(BULK_EVERY) == 0 else chance.choice(["native", "ofrep"])
        allowed = {name: self._known.answers(name, user) for name in ([flag] if kind != "bulk" else self._known.truths)}
        began = time.monotonic()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            writer.write(question(kind, flag, user))
            status, body = await read_answer(reader)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.answered[kind] += 1
        # What has changed while the question was on its way is right as well.
        for name in allowed:
            allowed[name] += self._known.answers(name, user)
        if kind == "native":
            assert self._read_native(status, body) in allowed[flag], (flag, user, body, allowed)
        elif kind == "ofrep":
            assert self._read_ofrep(status, body) in map(in_ofrep, allowed[flag]), (flag, user, body, allowed)
        else:
            assert status == 200, body
            items = {item["key"]: self._read_ofrep(200, item) for item in body["flags"]}
            for name, answers in allowed.items():
                absent = in_ofrep((False, Reason.FLAG_NOT_FOUND, None, None))
                assert items.get(name, absent) in map(in_ofrep, answers), (name, user, items.get(name), answers)
            assert items.keys() <= allowed.keys()

    @staticmethod
    def _read_native(status: int, body: dict[str, Any]) -> tuple[object, ...]:
        if status == 404:
            return False, body["error"]["code"], None, None
        assert status == 200, body
        return body["active"], body["reason"], body["circuit"], body["version"]

    def _read_ofrep(self, status: int, body: dict[str, Any]) -> tuple[object, ...]:
        if status == 404:
            return False, body["errorCode"], None, None
        assert status == 200, body
        metadata = body["metadata"]
        self.stale.add(metadata["stale"])
        return body["value"], body["reason"], metadata.get("circuit"), metadata["version"]


def in_ofrep(answer: tuple[object, ...]) -> tuple[object, ...]:
    """Return an answer as OFREP says it, which has no reason of its own for an open circuit."""
    active, reason, circuit, version = answer
    return active, "DISABLED" if reason == Reason.CIRCUIT_OPEN else reason, circuit, version


def question(kind: str, flag: str, user: str) -> bytes:
    if kind == "native":
        query = f"targeting_key={user}&country={country(user)}"
        return f"GET /v1/flags/{flag}?{query} HTTP/1.1\r\nHost: sidecar\r\n\r\n".encode()
    body = orjson.dumps({"context": {"targetingKey": user, "country": country(user)}})
    path = "" if kind == "bulk" else f"/{flag}"
    head = f"POST /ofrep/v1/evaluate/flags{path} HTTP/1.1\r\nHost: sidecar\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return int(head.split(" ", 2)[1]), orjson.loads(await reader.readexactly(length))
