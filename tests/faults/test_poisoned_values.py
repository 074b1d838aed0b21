"""Values that nobody could have written, in both buckets, in the stream of events and in the series of some flags.

Meanwhile another flag fails: it still trips, no process ends, and what was known of the poisoned flags stays. After the
repair all of them are judged again.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from counted_load import Load
from faults_stage import APP, Process, Sidecar, Stage, running_stage
from nats.js.errors import NotFoundError
from raw_nats import publish_raw
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import Mark as Published
from tailslide_core.contracts import decode_event, encode_circuit, encode_mark
from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    EVENTS_STREAM,
    LEASES_BUCKET,
    RULESETS_BUCKET,
    FlagId,
    Metric,
    bucket_subject,
    busy_key,
    event_subject,
    late_key,
    lease_key,
    mark_key,
    series_key,
)
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset

HELD, RULED, COUNTED, KEYED, SICK = "held-open", "ruled", "counted", "keyed", "sick"
"""The poison of the first four is in their circuit, their ruleset, their samples and the key of a series."""
FLAGS = (HELD, RULED, COUNTED, KEYED, SICK)
STAYS = CircuitSettings(recovery=None)
SETTINGS = dict.fromkeys(FLAGS, STAYS)
SHORT = CircuitSettings(recovery=Recovery(delay_ms=500, max_delay_ms=500, initial=50.0, interval_ms=500))
FOREIGN = FlagId("other-app", "other-flag")
CALLS_A_SECOND = 15.0
GARBAGE = random.Random(10).randbytes(600_000)  # the same with each run, no secret
REFUSED = "refused_values_total"


def poisoned(good: bytes) -> list[bytes]:
    """Return values to be found under the key of a circuit, made of a good one."""
    assert good.startswith(b'{"schema":1,')
    return [
        *(
            good[:-1] + b"," + member + b"}"  # of names given twice the last counts
            for member in (
                b'"generation":18446744073709551615',
                b'"since_ms":9000000000000000000',
                b'"trips":9007199254740993',
                b'"percentage":"NaN"',
                b'"percentage":1e308',
                b'"reason":' + b"[" * 500 + b"]" * 500,
                b'"schema":18446744073709551615',
            )
        ),
        good[:-1] + b',"percentage":NaN}',
        GARBAGE,
        b"[1,2,3]",
        b"",
    ]


async def put(stage: Stage, bucket: str, key: str, value: bytes) -> None:
    async with stage.client() as client:
        await client.jetstream().publish(bucket_subject(bucket, key), value)


@asynccontextmanager
async def under_load(stage: Stage, chance: random.Random) -> AsyncIterator[None]:
    load = Load([sidecar.door for sidecar in stage.sidecars], list(FLAGS), CALLS_A_SECOND, chance)
    running = asyncio.create_task(load.run())
    try:
        yield
    finally:
        load.stop()
        await running


async def sum_of(processes: list[Process], prefix: str) -> float:
    """Return the sum of the samples of all processes whose names begin so."""
    found: list[Mapping[str, float]] = [await process.metrics() for process in processes]
    return sum(value for samples in found for name, value in samples.items() if name.startswith(prefix))


async def until_told(stage: Stage, processes: list[Process], prefix: str, times: float = 1) -> None:
    async def is_told() -> bool:
        return await sum_of(processes, prefix) >= times

    await stage.until(f"{prefix} is at least {times:g}", is_told)


async def circuit_at(sidecar: Sidecar, flag: str) -> object:
    return (await sidecar.get("/v1/status"))[1]["flags"][flag]["circuit"]


async def poison_circuit(stage: Stage) -> Circuit:
    """Poison the circuit of a flag that is open, in each way; return it, as it has to be in the end."""
    held = await stage.until_circuit(HELD, lambda circuit: circuit.state is State.OPEN)
    aerobats: list[Process] = [*stage.aerobats]
    for count, value in enumerate(poisoned(encode_circuit(held)), 1):
        await put(stage, CIRCUITS_BUCKET, f"{APP}.{HELD}", value)
        await until_told(stage, aerobats, "tailslide_aerobat_replaced_circuits_total", count)
        for sidecar in stage.sidecars:
            assert await circuit_at(sidecar, HELD) == "open"
        assert (await stage.stored())[HELD] == held
    return held


async def poison_circuit_without_aerobat(stage: Stage, held: Circuit) -> None:
    """Poison it while nobody is there to replace it, and start a sidecar again meanwhile."""
    for aerobat in stage.aerobats:
        assert await aerobat.end() == 0
    await put(stage, CIRCUITS_BUCKET, f"{APP}.{HELD}", poisoned(encode_circuit(held))[0])
    survivor, restarted = stage.sidecars
    await until_told(stage, [survivor], f'tailslide_sidecar_{REFUSED}{{bucket="{CIRCUITS_BUCKET}"}}')
    await restarted.kill()
    await restarted.start()
    await until_told(stage, [restarted], f'tailslide_sidecar_{REFUSED}{{bucket="{CIRCUITS_BUCKET}"}}')
    for sidecar in stage.sidecars:
        assert await circuit_at(sidecar, HELD) == "open"
    await asyncio.gather(*(aerobat.start() for aerobat in stage.aerobats))
    # They know it by its last event now.
    await until_told(stage, [*stage.aerobats], 'tailslide_aerobat_replaced_circuits_total{source="event"}')
    assert (await stage.stored())[HELD] == held


async def poison_buckets(stage: Stage) -> None:
    ruleset = encode_ruleset(stage.rulesets[RULED])
    for value in (
        ruleset[:-1] + b',"version":9223372036854775808}',
        ruleset[:-1] + b',"rollout":NaN}',
        ruleset[:-1] + b',"circuit":{"x":' + b"[" * 500 + b"]" * 500 + b',"window_ms":9e18}}',
        GARBAGE,
        b"[1,2,3]",
    ):
        await put(stage, RULESETS_BUCKET, f"{APP}.{RULED}", value)
    await put(stage, RULESETS_BUCKET, mark_key(APP), b'{"schema":1,"at_ms":1,"keys":9223372036854775808}')
    await put(
        stage, LEASES_BUCKET, lease_key("ghost"), b'{"schema":1,"worker":"ghost","since_ms":1180591620717411303424}'
    )
    async with stage.client() as client:
        await client.jetstream().publish(event_subject(FlagId(APP, SICK)), GARBAGE)
        for bucket in (CIRCUITS_BUCKET, RULESETS_BUCKET):
            for key in (
                b"clinic.\xff\xfe",
                b"clinic.\xc3\x9cber",
                b"clinic._other",
                b"clinic.a.b",
                b"no-app",
                b"clinic.%s",
            ):
                await publish_raw(client, b"$KV.%b.%b" % (bucket.encode(), key), b"{}")
            await publish_raw(client, b"$KV.%b.clinic.status" % bucket.encode(), b"{}", b"NATS/1.0 503\r\n\r\n")
            await publish_raw(client, b"$KV.%b.clinic.none" % bucket.encode(), b"{}", b"xx\r\n\r\n")


async def poison_series(stage: Stage) -> None:
    async with Redis.from_url(stage.redis_url) as client:
        for value in ("9e18", "-5", "0.5", "nan", "1e19"):
            # A series of its own would be made without labels; each sample has a bucket to itself.
            with suppress(ResponseError):  # some servers refuse nan
                await client.execute_command("TS.ADD", series_key(FlagId(APP, COUNTED), Metric.FAILURE), "*", value)  # type: ignore[no-untyped-call] # redis-py has no types here
            await asyncio.sleep(0.12)
        await client.zadd(late_key(APP), {COUNTED: float("inf"), "No Flag": 1.0})
        key = series_key(FlagId(APP, KEYED), Metric.FAILURE)
        await client.delete(key)
        await client.set(key, "a string")
        await client.set(busy_key(FOREIGN.app), "a string")


async def repair(stage: Stage) -> None:
    async with Redis.from_url(stage.redis_url) as client:
        await client.delete(series_key(FlagId(APP, KEYED), Metric.FAILURE), busy_key(FOREIGN.app))
        await client.zrem(late_key(APP), COUNTED)
    await put(stage, RULESETS_BUCKET, f"{APP}.{RULED}", encode_ruleset(stage.rulesets[RULED]))
    await put(stage, RULESETS_BUCKET, mark_key(APP), encode_mark(Published(2_000, len(FLAGS))))


async def until_told_of_trip(stage: Stage, flag: str) -> None:
    """Wait for the event of the first trip of a flag, which there has to be once."""

    async def is_told() -> bool:
        return await generations(stage, flag) == [1]

    await stage.until(f"an event of {flag}", is_told)


async def generations(stage: Stage, flag: str) -> list[int]:
    """Return the generations that the events of a flag tell of, those that can be read."""
    found = []
    async with stage.client() as client:
        js = client.jetstream()
        for sequence in range(1, (await js.stream_info(EVENTS_STREAM)).state.last_seq + 1):
            with suppress(NotFoundError, ContractError):
                message = await js.get_msg(EVENTS_STREAM, seq=sequence)
                if message.subject == event_subject(FlagId(APP, flag)):
                    found.append(decode_event(message.data or b"").transition.after.generation)
    return found


async def test_values_that_nobody_could_have_written_cost_their_flag_only() -> None:
    chance = random.Random(7)
    async with running_stage(SETTINGS, chance, dead="") as stage:
        stage.poisoned = True
        aerobats: list[Process] = [*stage.aerobats]
        sidecars: list[Process] = [*stage.sidecars]
        foreign = Ruleset(*FOREIGN, 1, active=True, rollout=100.0, salt="s", circuit=SHORT)
        await put(stage, RULESETS_BUCKET, str(FOREIGN), encode_ruleset(foreign))
        async with under_load(stage, chance):
            stage.features.failing[HELD] = 1.0
            held = await poison_circuit(stage)
            await poison_circuit_without_aerobat(stage, held)
            await poison_buckets(stage)
            await poison_series(stage)
            for bucket in (CIRCUITS_BUCKET, RULESETS_BUCKET):
                await until_told(stage, aerobats, f'tailslide_aerobat_{REFUSED}{{bucket="{bucket}"}}')
                await until_told(stage, sidecars, f'tailslide_sidecar_{REFUSED}{{bucket="{bucket}"}}')
            for metric in ("refused_samples_total", "refused_keys_total"):
                await until_told(stage, aerobats, f"tailslide_aerobat_{metric}")

            began = time.monotonic()
            stage.features.failing[SICK] = 1.0
            await stage.until_circuit(SICK, lambda circuit: circuit.state is State.OPEN)
            print(f" tripped among poisoned flags after {time.monotonic() - began:.2f} s")
            await until_told_of_trip(stage, SICK)
            assert (await stage.stored())[HELD] == held
            for sidecar in stage.sidecars:
                flags = (await sidecar.get("/v1/status"))[1]["flags"]
                circuits = {flag: flags[flag]["circuit"] for flag in FLAGS}
                assert circuits == {HELD: "open", RULED: "closed", COUNTED: "closed", KEYED: "closed", SICK: "open"}
                assert flags[RULED]["version"] == 1, "the last good one"

            await repair(stage)
            stage.features.failing.update(dict.fromkeys(FLAGS, 1.0))
            for flag in FLAGS:
                await stage.until_circuit(flag, lambda circuit: circuit.state is State.OPEN)
                await until_told_of_trip(stage, flag)
        assert await sum_of(aerobats, "tailslide_aerobat_flag_errors_total") == 0
        for process in [*aerobats, *sidecars]:
            assert await process.end() == 0, process.log()
            assert "Traceback" not in process.log(), process.log()
            assert "nats_connection_lost" not in process.log(), process.log()
