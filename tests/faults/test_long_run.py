"""At full speed for as long as it takes: noise never trips a circuit, and a dead feature that nobody hears of does.

A real sidecar's proxy carries as many calls to one flag as the machine allows, half the threshold of them failing. With
`TAILSLIDE_TEST_LONG=1` that goes on for ten minutes at least, and until another flag with one call a minute, all
failing, has tripped: about a quarter of an hour. That cannot be had in less time, so otherwise it is left out.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import nats
import pytest
from aerobat_bench import Aerobat
from nats.js.errors import NotFoundError
from proxy_endings import Origin, running_origin
from proxy_load import ask, get
from sidecar_bench import FLAG, Bench, Sidecar, bench_with_servers

from tailslide_core.circuit import Circuit, Signal, State
from tailslide_core.contracts import decode_circuit, decode_event
from tailslide_core.naming import CIRCUITS_BUCKET, EVENTS_STREAM, FlagId, bucket_stream, bucket_subject, event_subject
from tailslide_core.ruleset import CircuitSettings, Ruleset

LONG = os.environ.get("TAILSLIDE_TEST_LONG") == "1"
BUSY_FOR_S = 600.0 if LONG else 15.0
CONNECTIONS = 32
SETTINGS = CircuitSettings()
FAILING = SETTINGS.error_threshold / 200
"""Half the threshold, as a share of the calls."""
QUIET = "quiet"
MINUTE_S = 60.0
CALLS_TO_TRIP = 14
"""So many failures in a row are certain enough."""

pytestmark = pytest.mark.timeout(1_500 if LONG else 120)


@dataclass
class Load:
    """Calls one after the other on each of some connections that are kept; what they were answered, by status."""

    sidecar: Sidecar
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    answered: Counter[int] = field(default_factory=Counter)
    stopped: bool = False
    asked: tuple[bytes, bytes] = (get("/busy/answered"), get("/busy/failing"))

    async def run(self) -> None:
        """Call until stopped; an answer that is not the feature's, or a connection that breaks, is an error."""
        host, _, port = self.sidecar.proxy.removeprefix("http://").partition(":")
        loop = asyncio.get_running_loop()
        callers = [(await loop.create_connection(lambda: Caller(self), host, int(port)))[1] for _ in range(CONNECTIONS)]
        await asyncio.gather(*(caller.ended for caller in callers))


class Caller(asyncio.Protocol):
    """One connection; its next call goes out as soon as the answer to the last is there."""

    def __init__(self, load: Load) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load = load
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._call()

    def _call(self) -> None:
        if self._load.stopped:
            self._transport.close()
            self.ended.set_result(None)
            return
        self._transport.write(self._load.asked[self._load.chance.random() < FAILING])

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        fields = head.lower()
        if len(body) < int(fields.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        if b"active=true" not in fields:
            self._fail(f"the feature was not asked: {head!r}")
            return
        self._load.answered[int(head[9:12])] += 1
        self._received = b""
        self._call()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection ended amid the load: {exc}")

    def _fail(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(AssertionError(why))
            self._transport.abort()


@dataclass(frozen=True)
class Stage:
    """A sidecar and an Aerobat on servers of their own, and the features behind two flags."""

    bench: Bench
    sidecar: Sidecar
    aerobat: Aerobat
    origin: Origin

    async def circuit(self, flag: str) -> Circuit:
        """Read a circuit from its bucket; closed where it has never moved."""
        client = await nats.connect(self.bench.nats_url)
        try:
            subject = bucket_subject(CIRCUITS_BUCKET, str(self.bench.flag_id(flag)))
            message = await client.jetstream().get_last_msg(bucket_stream(CIRCUITS_BUCKET), subject)
            return decode_circuit(message.data or b"")
        except NotFoundError:
            return Circuit()
        finally:
            await client.close()

    async def signals(self) -> list[tuple[FlagId, Signal]]:
        """Return all that has ever moved a circuit."""
        client = await nats.connect(self.bench.nats_url)
        try:
            js = client.jetstream()
            last = (await js.stream_info(EVENTS_STREAM)).state.last_seq
            messages = [await js.get_msg(EVENTS_STREAM, seq=seq) for seq in range(1, last + 1)]
        finally:
            await client.close()
        events = [decode_event(message.data or b"") for message in messages]
        assert [message.subject for message in messages] == [event_subject(event.flag_id) for event in events]
        return [(event.flag_id, event.transition.signal) for event in events]

    async def window(self, flag: str) -> dict[str, int]:
        """Return what Aerobat has of the calls to a flag in its window."""
        _, status = await self.aerobat.get("/v1/status")
        circuits = cast(list[dict[str, object]], status["circuits"])
        return next(cast(dict[str, int], each["window"]) for each in circuits if each["flag"] == flag)


@asynccontextmanager
async def running_stage() -> AsyncIterator[Stage]:
    async with bench_with_servers() as (bench, _), running_origin() as origin:
        for flag in (FLAG, QUIET):
            await bench.put(Ruleset(bench.app, flag, 1, active=True, rollout=100.0, salt=flag, circuit=SETTINGS))
        aerobat = Aerobat(bench.folder / "aerobat.sock")
        try:
            await aerobat.start({"TAILSLIDE_NATS_URL": bench.nats_url, "TAILSLIDE_REDIS_URL": bench.redis_url})
            await aerobat.until_ready()
            sidecar = await bench.start(
                bench.route(origin.url, {"status": 503}, match={"path_prefix": "/busy"}),
                {**bench.route(origin.url, {"status": 503}, match={"path_prefix": "/quiet"}), "flag": QUIET},
            )
            yield Stage(bench, sidecar, aerobat, origin)
            assert await aerobat.end(signal.SIGTERM) == 0, aerobat.log()
            assert "Traceback" not in aerobat.log(), aerobat.log()
        finally:
            await aerobat.end(signal.SIGKILL)


async def until_quiet_trips(stage: Stage) -> int:
    """Make one failing call a minute until the circuit opens; return how many that took."""
    made = 0
    due = time.monotonic()
    while (await stage.circuit(QUIET)).state is State.CLOSED:
        assert made <= CALLS_TO_TRIP + 1, "a dead feature with one call a minute does not trip"
        if time.monotonic() >= due:
            answer = await ask(stage.sidecar, get("/quiet/failing"))
            assert answer.status == 500
            assert "active=true" in (answer.header("x-tailslide") or "")
            made += 1
            due += MINUTE_S
        await asyncio.sleep(0.25)
    return made


async def test_noise_at_full_speed_never_trips_and_one_failing_call_a_minute_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAILSLIDE_LOG_LEVEL", "warning")  # each failed call is a line of the usual log
    async with running_stage() as stage:
        load = Load(stage.sidecar)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            quiet = await until_quiet_trips(stage) if LONG else 0
            await asyncio.sleep(max(0.0, began + BUSY_FOR_S - time.monotonic()))  # the load is the test
            window = await stage.window(FLAG)
            load.stopped = True
        took_s = time.monotonic() - began
        calls, rate = load.answered.total(), load.answered.total() / took_s
        print(
            f"{calls} calls in {took_s:.0f} s, {rate:.0f} a second, {100 * load.answered[500] / calls:.2f} % failing; "
            f"in Aerobat's window {window}; the quiet flag made {quiet} calls"
        )

        assert set(load.answered) == {200, 500}
        assert window["calls"] > 0.5 * rate * SETTINGS.window_ms / 1000
        assert FAILING - 0.05 < window["failures"] / window["calls"] < FAILING + 0.05
        await stage.bench.until_counted(success=load.answered[200], failure=load.answered[500])
        assert await stage.circuit(FLAG) == Circuit()
        signals = await stage.signals()
        assert all(flag_id.flag == QUIET for flag_id, _ in signals), signals
        if LONG:
            assert signals[0] == (stage.bench.flag_id(QUIET), Signal.BREACH)
            assert CALLS_TO_TRIP <= quiet <= CALLS_TO_TRIP + 1
