"""Aerobat on a real NATS and a real Redis: it trips, recovers, freezes, and carries on after every death."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest
from aerobat_bench import FAILING, FLAG, HEALTHY, QUICK, SETTINGS, SILENT, SLOW, Aerobat, Bench, Calls, running_bench
from redis.asyncio import Redis

from tailslide_aerobat.circuit_store import NO_EVENT, ConflictError, JetStreamCircuitStore, LastEvent
from tailslide_core.breach import TripRule
from tailslide_core.circuit import Circuit, Signal, State, Transition
from tailslide_core.contracts import CircuitEvent, encode_circuit
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, bucket_stream, event_subject

CLOSED, OPEN, RECOVERING = State.CLOSED, State.OPEN, State.RECOVERING
STAY_OPEN = replace(SETTINGS, recovery=None)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running_bench() as running:
        yield running


async def ready(bench: Bench) -> Aerobat:
    aerobat = await bench.start_aerobat()
    await aerobat.until_ready()
    return aerobat


async def ticks(aerobat: Aerobat, number: int) -> None:
    """Wait for some more ticks, each of which looks at the circuit once."""
    enough = await aerobat.metric("tailslide_aerobat_ticks_total") + number
    async with asyncio.timeout(20):
        while await aerobat.metric("tailslide_aerobat_ticks_total") < enough:
            await asyncio.sleep(0.05)


async def events_up_to(bench: Bench, generation: int) -> list[CircuitEvent]:
    """Return the events once that generation is among them; they form one unbroken chain, or the test fails."""
    async with asyncio.timeout(10):
        while True:
            events = await bench.events()
            if events and events[-1].transition.after.generation >= generation:
                break
            await asyncio.sleep(0.05)
    for event in events:
        assert event.transition.after.generation == event.transition.before.generation + 1
    for one, following in pairwise(events):
        assert following.transition.before == one.transition.after
    return events


async def test_trips_within_a_second_on_errors(bench: Bench) -> None:
    aerobat = await ready(bench)
    bench.calls = HEALTHY
    await ticks(aerobat, 8)
    began_ms = await bench.now_ms()
    bench.calls = FAILING
    circuit = await bench.until_state(OPEN)
    assert circuit.since_ms - began_ms < 1_000
    assert circuit.reason is not None
    assert circuit.reason.rule is TripRule.ERROR_RATE
    assert circuit.reason.lower_bound > 50
    (event,) = (await events_up_to(bench, 1))[:1]
    assert (event.transition.signal, event.transition.before.state) == (Signal.BREACH, CLOSED)
    assert event.transition.after == circuit


async def test_trips_within_a_second_on_slow_calls(bench: Bench) -> None:
    await bench.put_settings(replace(SETTINGS, slow_call_ms=500, slow_threshold=80.0))
    aerobat = await ready(bench)
    bench.calls = HEALTHY
    await ticks(aerobat, 8)
    began_ms = await bench.now_ms()
    bench.calls = SLOW
    circuit = await bench.until_state(OPEN)
    assert circuit.since_ms - began_ms < 1_000
    assert circuit.reason is not None
    assert circuit.reason.rule is TripRule.SLOW_CALL_RATE


async def test_stays_closed_under_the_threshold(bench: Bench) -> None:
    aerobat = await ready(bench)
    bench.calls = Calls(success=7, failure=3, slow=10)
    await ticks(aerobat, 12)
    assert await bench.circuit() is None
    _, status = await aerobat.get("/v1/status")
    (circuit,) = status["circuits"]  # type: ignore[misc] # parsed JSON
    assert (circuit["state"], circuit["percentage"]) == ("closed", 100)  # type: ignore[has-type]
    assert circuit["window"]["calls"] > 100  # type: ignore[has-type]
    assert await aerobat.metric('tailslide_aerobat_circuits{state="closed"}') == 1


async def test_reads_calls_from_before_its_start(bench: Bench) -> None:
    now_ms = await bench.now_ms()
    await bench.count(Calls(failure=100), at_ms=now_ms - 400_000)
    await bench.start_aerobat()
    circuit = await bench.until_state(OPEN)
    assert circuit.reason is not None
    assert (circuit.reason.calls, circuit.reason.window_ms) == (100, 450_000)


async def test_the_coarser_copies_of_a_series_are_not_counted(bench: Bench) -> None:
    """A sidecar makes compaction series beside each raw one; they carry the same labels and one more."""
    labels = {"app": "clinic", "flag": "appointments", "metric": "failure", "resolution": "10s"}
    await bench.add_sample("ts:{clinic}:appointments:failure:10s", 1000, labels)
    await bench.add_sample("ts:of somebody else", 1000, {"metric": "failure"})
    aerobat = await ready(bench)
    await bench.count(Calls(success=5))
    await ticks(aerobat, 4)
    assert await bench.circuit() is None
    _, status = await aerobat.get("/v1/status")
    (circuit,) = status["circuits"]  # type: ignore[misc] # parsed JSON
    assert circuit["window"] == {"window_ms": 10_000, "calls": 5, "failures": 0, "slow": 0}  # type: ignore[has-type]


async def test_recovers_step_by_step_to_closed(bench: Bench) -> None:
    await ready(bench)
    bench.calls = FAILING
    opened = await bench.until_state(OPEN)
    bench.calls = HEALTHY
    closed = await bench.until_state(CLOSED)
    events = await events_up_to(bench, closed.generation)
    assert [event.transition.signal for event in events][:5] == [
        Signal.BREACH,
        Signal.DELAY_OVER,
        Signal.STEP_PASSED,
        Signal.STEP_PASSED,
        Signal.RAMP_FINISHED,
    ]
    steps = [event.transition.after.percentage for event in events if event.transition.after.state is RECOVERING]
    assert steps == [25, 50, 75]
    assert events[1].transition.after.since_ms - opened.since_ms >= QUICK.delay_ms
    # In the end it forgets that it ever tripped.
    calm = await bench.until(lambda circuit: circuit.state is CLOSED and circuit.trips == 0)
    assert calm.since_ms == closed.since_ms
    assert (await events_up_to(bench, calm.generation))[-1].transition.signal is Signal.CALM


async def test_tripping_again_doubles_the_delay(bench: Bench) -> None:
    await ready(bench)
    bench.calls = FAILING
    circuit = await bench.until(lambda circuit: circuit.state is OPEN and circuit.trips == 2)
    assert circuit.next_ms is not None
    assert circuit.next_ms - circuit.since_ms == 2 * QUICK.delay_ms
    bench.calls = HEALTHY
    recovering = await bench.until(lambda circuit: circuit.state is RECOVERING and circuit.trips >= 2)
    events = await events_up_to(bench, recovering.generation)
    moved = next(event.transition for event in events if event.transition.before == circuit)
    assert moved.at_ms - circuit.since_ms >= 2 * QUICK.delay_ms


async def test_a_reset_closes(bench: Bench) -> None:
    await bench.put_settings(STAY_OPEN)
    await ready(bench)
    bench.calls = FAILING
    await bench.until_state(OPEN)
    bench.calls = SILENT
    await bench.put_settings(replace(STAY_OPEN, reset_generation=1))
    circuit = await bench.until_state(CLOSED)
    assert (circuit.trips, circuit.reset_generation, circuit.percentage) == (0, 1, 100)
    assert (await events_up_to(bench, circuit.generation))[-1].transition.signal is Signal.RESET


async def test_an_inactive_flag_is_frozen(bench: Bench) -> None:
    await bench.put(replace(bench.ruleset, active=False))
    aerobat = await ready(bench)
    bench.calls = FAILING
    await ticks(aerobat, 8)
    assert await bench.circuit() is None
    await bench.put(replace(bench.ruleset, active=True))
    await bench.until_state(OPEN)


async def test_without_recovery_it_stays_open(bench: Bench) -> None:
    await bench.put_settings(STAY_OPEN)
    aerobat = await ready(bench)
    bench.calls = FAILING
    opened = await bench.until_state(OPEN)
    bench.calls = HEALTHY
    await ticks(aerobat, 8)
    assert await bench.circuit() == opened
    assert opened.next_ms is None


async def test_a_deleted_flag_takes_its_circuit_along(bench: Bench) -> None:
    await bench.put_settings(STAY_OPEN)
    aerobat = await ready(bench)
    bench.calls = FAILING
    await bench.until_state(OPEN)
    await bench.put(None)
    async with asyncio.timeout(10):
        while await bench.circuit() is not None:
            await asyncio.sleep(0.02)
    await ticks(aerobat, 2)
    assert await aerobat.metric("tailslide_aerobat_conflicts_total") == 0


async def test_values_that_do_not_parse_leave_the_last_good_one(bench: Bench) -> None:
    aerobat = await ready(bench)
    await bench.put_raw(RULESETS_BUCKET, b'{"schema": 1, "app": 7}')
    await bench.put_raw(CIRCUITS_BUCKET, b"{")
    async with asyncio.timeout(10):
        for bucket in (RULESETS_BUCKET, CIRCUITS_BUCKET):
            while await aerobat.metric(f'tailslide_aerobat_refused_values_total{{bucket="{bucket}"}}') < 1:
                await asyncio.sleep(0.02)
    bench.calls = FAILING
    assert (await bench.until_state(OPEN)).generation == 1
    assert aerobat.log().count("value_refused") == 2


async def test_a_circuit_of_a_newer_schema_is_left_alone(bench: Bench) -> None:
    aerobat = await ready(bench)
    newer = b'{"schema": 2, "state": "ajar"}'
    await bench.put_raw(CIRCUITS_BUCKET, newer)
    async with asyncio.timeout(10):
        while (await aerobat.until_ready())["flags"] != 0:
            await asyncio.sleep(0.02)
    bench.calls = FAILING
    await ticks(aerobat, 6)
    assert await aerobat.metric("tailslide_aerobat_conflicts_total") == 0
    async with bench.client() as client:
        entry = await (await client.jetstream().key_value(CIRCUITS_BUCKET)).get("clinic.appointments")
    assert entry.value == newer


async def test_without_redis_nothing_moves(bench: Bench) -> None:
    aerobat = await ready(bench)
    bench.calls = FAILING
    await bench.until_state(OPEN)
    await bench.kill(bench.redis)
    bench.calls = HEALTHY
    body = await aerobat.until_ready(False)
    assert (body["nats"], body["redis"]) == (True, False)
    frozen = await bench.circuit()
    before = await aerobat.metric("tailslide_aerobat_redis_errors_total")
    async with asyncio.timeout(20):
        while await aerobat.metric("tailslide_aerobat_redis_errors_total") < before + 2:
            await asyncio.sleep(0.05)
    assert await bench.circuit() == frozen
    await bench.redis.start()
    await bench.until_state(CLOSED)
    await aerobat.until_ready()
    assert aerobat.log().count("counts_unreadable") == 1
    assert aerobat.log().count("counts_readable_again") == 1


@pytest.mark.parametrize(
    ("begin", "end", "why"),
    [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "expected a Redis that takes writes, got a replica"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "command not allowed when used memory > 'maxmemory'"),
        ("ACL SETUSER default -ts.range", "ACL SETUSER default +@all", "no permissions to run the 'ts.range' command"),
    ],
    ids=["replica", "full", "locked"],
)
async def test_a_redis_that_cannot_tell_everything_is_not_taken_for_silence(
    bench: Bench, begin: str, end: str, why: str
) -> None:
    await bench.put_settings(replace(SETTINGS, recovery=replace(QUICK, delay_ms=60_000)))
    aerobat = await ready(bench)
    bench.calls = FAILING
    await bench.until_state(OPEN)
    async with Redis.from_url(bench.redis_url) as client:
        await client.execute_command(begin)  # type: ignore[no-untyped-call] # redis-py has no types here
        body = await aerobat.until_ready(False)
        assert body["redis"] is False
        await bench.put_settings(replace(SETTINGS, recovery=replace(QUICK, delay_ms=0)))
        before = await aerobat.metric("tailslide_aerobat_redis_errors_total")
        async with asyncio.timeout(20):
            while await aerobat.metric("tailslide_aerobat_redis_errors_total") < before + 2:
                await asyncio.sleep(0.05)
        assert [circuit.state for circuit in bench.seen] == [OPEN]
        await client.execute_command(end)  # type: ignore[no-untyped-call]
    assert why in aerobat.log()
    await bench.until_state(RECOVERING)


async def test_carries_on_after_nats_was_killed(bench: Bench) -> None:
    aerobat = await ready(bench)
    bench.calls = FAILING
    await bench.until_state(OPEN)
    await bench.kill(bench.nats)
    bench.calls = HEALTHY
    async with asyncio.timeout(10):
        # Not ready comes first, by a moment: what was listed is doubted before the connection is given up.
        while (await aerobat.until_ready(False))["nats"]:
            await asyncio.sleep(0.01)
    await bench.nats.start()
    closed = await bench.until_state(CLOSED)
    await events_up_to(bench, closed.generation)
    assert await aerobat.metric("tailslide_aerobat_nats_connects_total") >= 2


async def test_a_bucket_that_is_deleted_under_the_connection_is_restored(bench: Bench) -> None:
    await bench.put_settings(STAY_OPEN)
    aerobat = await ready(bench)
    bench.calls = FAILING
    opened = await bench.until_state(OPEN)
    async with bench.client() as client:
        assert await client.jetstream().delete_stream(bucket_stream(CIRCUITS_BUCKET))
    async with asyncio.timeout(20):
        while await bench.circuit() != opened:
            await asyncio.sleep(0.1)
    assert aerobat.log().count("verdict_restored") == 1
    assert await aerobat.metric("tailslide_aerobat_nats_connects_total") == 1


async def test_starts_without_any_server(bench: Bench) -> None:
    await bench.kill(bench.nats)
    await bench.kill(bench.redis)
    aerobat = await bench.start_aerobat()
    assert (await aerobat.until_ready(False))["nats"] is False
    await bench.nats.start()
    await bench.redis.start()
    assert (await aerobat.until_ready())["flags"] == 1


@pytest.mark.parametrize("state", [OPEN, RECOVERING])
async def test_a_killed_aerobat_is_replaced_by_the_next(bench: Bench, state: State) -> None:
    aerobat = await ready(bench)
    bench.calls = FAILING
    await bench.until_state(OPEN)
    bench.calls = HEALTHY
    await bench.until_state(state)
    await aerobat.end(signal.SIGKILL)
    left = await bench.circuit()
    assert left is not None
    await bench.start_aerobat()
    closed = await bench.until_state(CLOSED)
    assert closed.trips == left.trips
    await events_up_to(bench, closed.generation)


async def test_the_event_that_a_dead_writer_owed_is_published(bench: Bench) -> None:
    """The circuit was written, the event was not: killed between the two."""
    await bench.put_settings(STAY_OPEN)
    killed = await ready(bench)
    bench.calls = FAILING
    opened = await bench.until_state(OPEN)
    await events_up_to(bench, 1)
    await killed.end(signal.SIGKILL)
    bench.calls = SILENT
    owed = Circuit(RECOVERING, 25.0, opened.trips, 2, 0, await bench.now_ms(), None, opened.reason)
    await bench.put_raw(CIRCUITS_BUCKET, encode_circuit(owed))
    aerobat = await bench.start_aerobat()
    event = (await events_up_to(bench, 2))[-1]
    assert (event.transition.signal, event.transition.after) == (Signal.DELAY_OVER, owed)
    async with asyncio.timeout(10):  # it is counted once JetStream has acknowledged it
        while await aerobat.metric("tailslide_aerobat_completed_events_total") != 1:
            await asyncio.sleep(0.02)


async def test_two_aerobats_at_once_do_nothing_twice(bench: Bench) -> None:
    await ready(bench)
    await ready(bench)
    bench.calls = FAILING
    await bench.until(lambda circuit: circuit.state is OPEN and circuit.trips == 2)
    bench.calls = HEALTHY
    closed = await bench.until_state(CLOSED)
    events = await events_up_to(bench, closed.generation)
    generations = [event.transition.after.generation for event in events]
    assert generations == list(range(1, len(generations) + 1))
    assert [circuit.generation for circuit in bench.seen] == generations[: len(bench.seen)]


async def test_events_are_published_behind_the_one_that_is_known(bench: Bench) -> None:
    """However long its writer was held up: what is behind an older event, a repetition too, is refused."""

    def event(generation: int) -> CircuitEvent:
        before, after = (Circuit(generation=number, since_ms=number) for number in (generation - 1, generation))
        return CircuitEvent(FLAG, Transition(Signal.RESET, generation, before, after))

    async with bench.client() as client:
        store = await JetStreamCircuitStore.open(client)
        assert await store.last_event(FLAG) is None
        first = await store.publish(event(1), NO_EVENT)
        second = await store.publish(event(2), first)
        for generation, behind in ((1, NO_EVENT), (2, first), (3, first)):
            with pytest.raises(ConflictError):
                await store.publish(event(generation), behind)
        assert await store.last_event(FLAG) == LastEvent(event(2), second)
        await client.jetstream().publish(event_subject(FLAG), b"{")
        last = await store.last_event(FLAG)
        assert last is not None
        assert last.event is None
        await store.publish(event(3), last.sequence)


async def test_what_is_wrong_with_the_settings_is_one_sentence(bench: Bench) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tailslide_aerobat.main",
        env={**os.environ, "TAILSLIDE_AEROBAT_TICK_MS": "10"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode().startswith("Error: TAILSLIDE_AEROBAT_TICK_MS: ")
    assert errors.decode().count("\n") == 1
