"""What one client may make a sidecar keep or work out, on a real one: questions, reports, hosts, pipelined requests."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from proxy_load import ask, connection, get, metrics, read_answer, resident_bytes
from sidecar_bench import FLAG, Bench, Sidecar, answer, bench_on, raw_upstream, upstream

from tailslide_core.conditions import Condition, Operator
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import RULESETS_BUCKET, FlagId
from tailslide_core.ruleset import Rule, Ruleset
from tailslide_embedded.stack import Endpoints
from tailslide_sidecar.proxy.client_connection import BACKLOG_BYTES

MIB = 1_048_576
TINY = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OFREP = "/ofrep/v1/evaluate/flags"
FIXED = {"answer": {"status": 200, "body": "fixed"}}


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        await running.put(running.ruleset())
        yield running


async def put_flags(bench: Bench, operator: Operator, flags: int) -> None:
    rules = (Rule((Condition("groups", operator, ("g7",)),), 100.0),)
    for number in range(flags):
        ruleset = Ruleset(bench.app, f"f{number}", 1, True, 0.0, "salt", rules=rules)
        await bench.put_raw(RULESETS_BUCKET, str(FlagId(bench.app, f"f{number}")), encode_ruleset(ruleset))


async def question(sidecar: Sidecar, path: str, groups: list[str]) -> tuple[int, dict[str, object]]:
    body = {"context": {"targetingKey": "u1", "groups": groups}}
    async with sidecar.flags() as session, session.post(f"{OFREP}{path}", json=body) as got:
        return got.status, await got.json()


async def test_larger_bodies_than_by_default_meet_the_bounds_of_what_they_ask(bench: Bench) -> None:
    sidecar = await bench.start(flags_limits={"max_body_bytes": 4 * MIB})
    body, headers = io.BytesIO(b" " * 2 * MIB), {"Content-Type": "application/json"}
    async with sidecar.flags() as session, session.post(OFREP, data=body, headers=headers) as got:
        assert got.status == 413
        assert (await got.json())["errorDetails"] == "body: expected a context of at most 262144 bytes, got 2097152"


async def test_questions_that_are_too_much_are_refused_and_honest_ones_answered(bench: Bench) -> None:
    await put_flags(bench, Operator.CONTAINS, flags=100)
    sidecar = await bench.start()

    async def has_all() -> bool:
        return await sidecar.metric("tailslide_sidecar_flags") == 101

    await sidecar.until(has_all)
    many = [f"g{number}" for number in range(100_000)]
    status, said = await question(sidecar, "", many)
    assert status == 413
    for path in ("", "/f0"):
        status, said = await question(sidecar, path, many[:10_001])
        assert (status, said["errorCode"]) == (400, "INVALID_CONTEXT")
        assert said["errorDetails"] == "context.groups: expected a list of at most 10000 items, got 10001"
    status, said = await question(sidecar, "", many[:5_000])
    assert (status, said["errorCode"]) == (400, "INVALID_CONTEXT")
    assert "context.groups: expected lists and texts" in str(said["errorDetails"])
    status, said = await question(sidecar, "", many[:300])
    assert status == 200
    flags = said["flags"]
    assert isinstance(flags, list)
    assert [flag["value"] for flag in flags if flag["key"] != FLAG] == [True] * 100
    status, said = await question(sidecar, "/f0", many[:10_000])
    assert (status, said["value"]) == (200, True)


async def test_an_attribute_that_is_too_long_is_as_good_as_missing(bench: Bench) -> None:
    rules = (Rule((Condition("agent", Operator.STARTS_WITH, ("x",)),), 100.0),)
    await bench.put(bench.ruleset(rollout=0.0, rules=rules))
    async with upstream(answer("new")) as feature:
        route = bench.route(feature, {"status": 200, "body": "old"}, attributes={"agent": {"header": "user-agent"}})
        sidecar = await bench.start(route)
        assert (await ask(sidecar, get("/", User_Agent="x" * 4_096))).body == b"new"
        assert (await ask(sidecar, get("/", User_Agent="x" * 4_097))).body == b"old"


async def reports(sidecar: Sidecar, count: int) -> tuple[int, dict[str, object], str | None]:
    body = {"outcome": "failure", "count": count}
    async with sidecar.flags() as session, session.post(f"/v1/flags/{FLAG}/outcomes", json=body) as got:
        return got.status, await got.json(), got.headers.get("Retry-After")


async def test_reports_are_limited_and_what_is_refused_counts_for_nothing(bench: Bench) -> None:
    sidecar = await bench.start(reported_calls_per_s=1)
    assert (await reports(sidecar, 10))[0] == 202
    status, said, retry_after = await reports(sidecar, 10)
    assert status == 429
    assert isinstance(said["error"], dict)
    assert said["error"]["code"] == "TOO_MANY_REPORTS"
    assert retry_after is not None
    assert 1 <= int(retry_after) <= 10
    assert (await reports(sidecar, 11))[0] == 400
    assert await sidecar.metric("tailslide_sidecar_reported_calls_refused_total") == 10
    assert sidecar.log().count("reports_refused") == 1
    await bench.until_counted(failure=10)


async def test_reports_that_are_turned_off_open_no_circuit(bench: Bench) -> None:
    sidecar = await bench.start(reported_outcomes=False)
    status, said, _ = await reports(sidecar, 10)
    assert status == 403
    assert said["error"] == {
        "code": "REPORTS_OFF",
        "message": "this sidecar takes no reports of outcomes (reported_outcomes is false)",
    }
    assert await sidecar.metric("tailslide_sidecar_outcomes_waiting") == 0
    assert await sidecar.metric("tailslide_sidecar_outcomes_written_total") == 0


async def test_long_names_of_hosts_are_refused_and_nothing_of_them_is_kept(bench: Bench) -> None:
    sidecar = await bench.start(FIXED)
    for name, status in ((b"h" * 253, 200), (b"h" * 253 + b".:65535", 200), (b"h" * 254, 400)):
        got = await ask(sidecar, b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % name)
        assert got.status == status, name
    before = resident_bytes(sidecar)
    for number in range(1_000):
        name = b"%d." % number + b"h" * 60_000
        form = b"/" if number % 2 else b"http://%b/" % name[:8_000]
        assert (await ask(sidecar, b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (form, name))).status == 400
    assert resident_bytes(sidecar) - before < 20 * MIB


async def test_what_waits_behind_a_slow_call_stays_small_and_is_answered(bench: Bench) -> None:
    connections, requests = 20, 2 * MIB // len(TINY)
    go = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")

    async with raw_upstream(slow) as server, AsyncExitStack() as stack:
        sidecar = await bench.start({"match": {"path": "/slow"}, "upstream": server}, FIXED)
        assert (await ask(sidecar, TINY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))).body == b"fixed"
        before = resident_bytes(sidecar)
        talks = [await stack.enter_async_context(connection(sidecar)) for _ in range(connections)]
        for _, writer in talks:
            writer.write(TINY.replace(b" / ", b" /slow ") + TINY * requests)

        unsent = -1

        async def all_stand_still() -> bool:
            nonlocal unsent
            running = sum(
                value
                for name, value in (await metrics(sidecar)).items()
                if name.startswith("tailslide_sidecar_proxied_running{")
            )
            last, unsent = unsent, sum(writer.transport.get_write_buffer_size() for _, writer in talks)
            return running == connections and unsent == last

        await sidecar.until(all_stand_still)
        # One portion of what the kernel hands over may come on top.
        assert resident_bytes(sidecar) - before < connections * (BACKLOG_BYTES + 8 * 65_536)
        go.set()

        async def answers(reader: asyncio.StreamReader) -> None:
            assert (await read_answer(reader)).body == b"slow"
            for _ in range(2_000):
                assert (await read_answer(reader)).body == b"fixed"

        await asyncio.gather(*(answers(reader) for reader, _ in talks))


async def test_thousands_of_tiny_requests_that_are_refused_are_answered_one_by_one(bench: Bench) -> None:
    sidecar = await bench.start({"match": {"host": "other"}, "answer": {"status": 200}})
    requests = 20_000
    before = resident_bytes(sidecar)
    async with connection(sidecar) as (reader, writer):
        writer.write(TINY * requests)
        for _ in range(requests):
            got = await read_answer(reader)
            assert (got.status, b"UNKNOWN_HOST" in got.body) == (421, True)
    assert resident_bytes(sidecar) - before < 20 * MIB
