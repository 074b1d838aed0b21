"""Two Aerobats share the work: each app has exactly one owner, who dies is replaced, and nothing happens twice."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from aerobat_bench import FAILING, SETTINGS, WAIT_S, Aerobat, Bench, running_bench

from tailslide_core.circuit import Circuit, Signal, State
from tailslide_core.contracts import CircuitEvent, encode_circuit
from tailslide_core.naming import CIRCUITS_BUCKET, LEASES_BUCKET, FlagId, bucket_stream
from tailslide_core.ruleset import Ruleset

APPS = [f"app-{number}" for number in range(40)]
FLAGS = [FlagId(app, f"flag-{number}") for app in APPS for number in range(25)]
STAY_OPEN = replace(SETTINGS, recovery=None)
BREACHES = 'tailslide_aerobat_transitions_total{signal="breach"}'
GENEROUS_S = 6.0
"""What a takeover may take in a test: the machine may be busy with other things."""


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running_bench() as running:
        await running.put(None)
        yield running


def ruleset(flag_id: FlagId) -> Ruleset:
    return Ruleset(flag_id.app, flag_id.flag, 1, active=True, rollout=100.0, salt="s", circuit=STAY_OPEN)


async def until(aerobat: Aerobat, path: str, holds: Callable[[Any], bool]) -> Any:
    """Wait for what an Aerobat answers to be as asked for, and return it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            _, body = await aerobat.get(path)
            if holds(body):
                return body
            await asyncio.sleep(0.02)


def sees(number: int) -> Callable[[Any], bool]:
    """Whether an Aerobat is ready and sees so many that live."""
    return lambda body: body["ready"] and len(body["holders"]) == number


async def owned_by(aerobat: Aerobat) -> set[str]:
    """Return the apps that an Aerobat takes for its own, having checked that it does not contradict itself."""
    _, status = await aerobat.get("/v1/status")
    circuits: list[Any] = status["circuits"]  # type: ignore[assignment] # parsed JSON
    for circuit in circuits:
        assert circuit["ours"] == (circuit["owner"] == status["worker"])
        assert (circuit["window"] is not None) == circuit["ours"]
    return {circuit["app"] for circuit in circuits if circuit["ours"]}


async def divided(bench: Bench, *aerobats: Aerobat) -> list[set[str]]:
    """Wait until all see each other, and return what each owns: every app is in exactly one of the sets."""
    for aerobat in aerobats:
        await until(aerobat, "/readyz", sees(len(aerobats)))
    shares = [await owned_by(aerobat) for aerobat in aerobats]
    assert sum(map(len, shares)) == len(set().union(*shares)) == len(APPS)
    return shares


async def two(bench: Bench) -> tuple[Aerobat, Aerobat]:
    await bench.put_all(map(ruleset, FLAGS))
    first, second = await asyncio.gather(bench.start_aerobat(), bench.start_aerobat())
    return first, second


def is_open(circuit: Circuit) -> bool:
    return circuit.state is State.OPEN


async def events_of(bench: Bench, flag_id: FlagId, number: int) -> list[CircuitEvent]:
    """Wait for so many events; they form one unbroken chain, or the test fails."""
    async with asyncio.timeout(WAIT_S):
        while len(events := await bench.events(flag_id)) < number:
            await asyncio.sleep(0.05)
    generations = [event.transition.after.generation for event in events]
    assert generations == list(range(1, number + 1))
    for one, following in pairwise(events):
        assert following.transition.before == one.transition.after
    return events


async def failing(bench: Bench, flag_id: FlagId) -> Circuit:
    """Let all calls of a flag fail until its circuit is open."""
    opening = asyncio.ensure_future(bench.until_circuit(flag_id, is_open))
    while not opening.done():
        await bench.count(FAILING, flag_id=flag_id)
        await asyncio.wait({opening}, timeout=0.05)
    return await opening


@contextmanager
def hanging(bench: Bench) -> Iterator[None]:
    """Let NATS stand still: connections stay, and nothing is answered."""
    assert bench.nats.pid is not None
    os.kill(bench.nats.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(bench.nats.pid, signal.SIGCONT)


def a_flag_of(apps: set[str]) -> FlagId:
    return next(flag_id for flag_id in FLAGS if flag_id.app in apps)


async def test_the_work_is_divided_and_each_trips_its_own(bench: Bench) -> None:
    first, second = await two(bench)
    shares = await divided(bench, first, second)
    assert all(5 <= len(share) <= 35 for share in shares)
    for aerobat, share in zip((first, second), shares, strict=True):
        body = await aerobat.until_ready()
        assert (body["apps"], body["apps_owned"]) == (40, len(share))
        assert (body["flags"], body["flags_owned"]) == (1000, 25 * len(share))
        assert await aerobat.metric("tailslide_aerobat_holders") == 2
        assert await aerobat.metric("tailslide_aerobat_flags_owned") == 25 * len(share)
        assert await aerobat.metric('tailslide_aerobat_circuits{state="closed"}') == 25 * len(share)
    await asyncio.gather(*(failing(bench, a_flag_of(share)) for share in shares))
    for aerobat, share in zip((first, second), shares, strict=True):
        (event,) = await events_of(bench, a_flag_of(share), 1)
        assert event.transition.signal is Signal.BREACH
        assert await aerobat.metric(BREACHES) == 1
        assert await aerobat.metric("tailslide_aerobat_conflicts_total") == 0


async def test_what_a_killed_one_had_is_taken_over(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = await two(bench)
    mine, _ = await divided(bench, first, second)
    flag_id = a_flag_of(mine)
    # As if it had been killed between a circuit and its event.
    owed = Circuit(State.OPEN, 0.0, 1, 1, 0, await bench.now_ms(), None, None)
    owing = FlagId(flag_id.app, "flag-7")
    await until(second, "/v1/status", lambda body: body["last_tick_ms"] is not None)

    await first.end(signal.SIGKILL)
    began = time.monotonic()
    tripping = asyncio.ensure_future(failing(bench, flag_id))
    await bench.put_raw(CIRCUITS_BUCKET, encode_circuit(owed), key=str(owing))
    await until(second, "/readyz", sees(1))
    taken_s = time.monotonic() - began
    await tripping
    tripped_s = time.monotonic() - began

    with capsys.disabled():
        print(f" taken over after {taken_s:.2f} s, tripped after {tripped_s:.2f} s")
    assert await owned_by(second) == set(APPS)
    assert tripped_s < GENEROUS_S
    await events_of(bench, flag_id, 1)
    (event,) = await events_of(bench, owing, 1)
    assert event.transition.after == owed


async def test_what_a_stopped_one_had_is_taken_over_at_once(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = await two(bench)
    await divided(bench, first, second)
    ticks = await second.metric("tailslide_aerobat_ticks_total")
    began = time.monotonic()
    ending = asyncio.ensure_future(first.end(signal.SIGTERM))
    await until(second, "/readyz", sees(1))
    taken_s = time.monotonic() - began
    # The lease was deleted and not left to lapse, which takes six ticks at the least.
    assert await second.metric("tailslide_aerobat_ticks_total") - ticks < 6
    assert await owned_by(second) == set(APPS)
    assert await ending == 0
    with capsys.disabled():
        print(f" taken over after {taken_s:.2f} s")
    async with bench.client() as client:
        state = (await client.jetstream().stream_info(bucket_stream(LEASES_BUCKET))).state
    assert state.messages == 2  # one renewed, one deleted


async def test_a_third_takes_only_its_share(bench: Bench) -> None:
    first, second = await two(bench)
    before = await divided(bench, first, second)
    third = await bench.start_aerobat()
    after = await divided(bench, first, second, third)
    for was, now in zip(before, after, strict=False):
        assert now <= was
    assert after[2] == set(APPS) - after[0] - after[1]


async def test_both_come_back_after_nats_was_away(bench: Bench) -> None:
    first, second = await two(bench)
    before = await divided(bench, first, second)
    await bench.kill(bench.nats)
    for aerobat in (first, second):
        # The lease goes first, and what is known of others when the connection is given up.
        body = await until(aerobat, "/readyz", lambda body: not body["holders"])
        assert (body["ready"], body["lease"], body["flags_owned"]) == (False, False, 0)
    await bench.nats.start()
    assert await divided(bench, first, second) == before
    await asyncio.gather(*(failing(bench, a_flag_of(share)) for share in before))


async def test_both_step_down_while_nats_hangs(bench: Bench) -> None:
    first, second = await two(bench)
    before = await divided(bench, first, second)
    with hanging(bench):
        for aerobat in (first, second):
            body = await until(aerobat, "/readyz", lambda body: not body["lease"])
            assert body["apps_owned"] == 0
    assert await divided(bench, first, second) == before
    for share in before:
        await failing(bench, a_flag_of(share))
        await events_of(bench, a_flag_of(share), 1)


async def test_one_can_be_stopped_while_nats_hangs(bench: Bench) -> None:
    aerobat = await bench.start_aerobat()
    await aerobat.until_ready()
    with hanging(bench):
        assert await aerobat.end(signal.SIGTERM) == 0
    assert "lease_left_to_lapse" in aerobat.log()


async def test_one_that_stands_still_is_replaced_and_does_no_harm_when_it_goes_on(bench: Bench) -> None:
    first, second = await two(bench)
    before = await divided(bench, first, second)
    flag_id = a_flag_of(before[0])
    first.send(signal.SIGSTOP)
    try:
        await until(second, "/readyz", sees(1))
        await failing(bench, flag_id)
    finally:
        first.send(signal.SIGCONT)
    assert await divided(bench, first, second) == before
    await failing(bench, a_flag_of(before[0] - {flag_id.app}))
    await events_of(bench, flag_id, 1)


async def test_who_cannot_read_counts_leaves_its_apps_to_the_others(bench: Bench) -> None:
    await bench.put_all(map(ruleset, FLAGS))
    able = await bench.start_aerobat()
    blind = await bench.start_aerobat(TAILSLIDE_REDIS_URL="redis://127.0.0.1:1")
    assert (await blind.until_ready(False))["redis"] in {None, False}
    body = await until(able, "/readyz", lambda body: sees(1)(body) and body["flags_owned"] == len(FLAGS))
    assert body["apps_owned"] == len(APPS)
    await until(blind, "/readyz", lambda body: body["redis"] is False and body["flags_owned"] == 0)


async def test_two_that_both_believe_to_be_alone_do_nothing_twice(bench: Bench) -> None:
    """The bucket of leases is lost, so neither hears of the other until its watch has found the new one."""
    first, second = await two(bench)
    shares = await divided(bench, first, second)
    async with bench.client() as client:
        await client.jetstream().delete_stream(bucket_stream(LEASES_BUCKET))
    await asyncio.gather(*(until(aerobat, "/readyz", sees(1)) for aerobat in (first, second)))
    flags = [flag_id for flag_id in FLAGS if flag_id.flag == "flag-0"]
    await asyncio.gather(*(failing(bench, flag_id) for flag_id in flags))
    assert await divided(bench, first, second) == shares
    for flag_id in flags:
        await events_of(bench, flag_id, 1)
    moved = [await each.metric(BREACHES, absent=0) for each in (first, second)]
    assert sum(moved) == len(flags)
    assert await first.metric("tailslide_aerobat_lease_errors_total") == 0


async def test_a_lease_that_cannot_be_read_is_a_lease(bench: Bench) -> None:
    """A newer Aerobat may write it otherwise; it does its share all the same."""
    await bench.put_all(map(ruleset, FLAGS))
    aerobat = await bench.start_aerobat()
    await until(aerobat, "/readyz", sees(1))
    await bench.put_raw(LEASES_BUCKET, b'{"schema": 2}', key="aerobat.newer-1")
    status = await until(aerobat, "/v1/status", lambda body: len(body["holders"]) == 2)
    assert [holder["since_ms"] is None for holder in status["holders"]] == [
        holder["worker"] == "newer-1" for holder in status["holders"]
    ]
    assert await aerobat.metric('tailslide_aerobat_refused_values_total{bucket="leases"}') == 1
    await until(aerobat, "/readyz", sees(1))
