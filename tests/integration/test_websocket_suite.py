"""The Autobahn WebSocket suite says the same of a server directly and through a flagged route."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sidecar_bench import Bench, bench_on, upstream
from suite_autobahn import CASES, PASSED, autobahn, echo, verdicts

from tailslide_embedded.stack import Endpoints

ELSEWHERE = {"status": 503, "body": "the flag is off"}


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.mark.timeout(400)
async def test_the_same_verdict_on_every_case(bench: Bench) -> None:
    python = await asyncio.to_thread(autobahn)
    await bench.put(bench.ruleset())
    async with upstream(echo) as server:
        sidecar = await bench.start(bench.route(server, ELSEWHERE))
        direct, proxied = await asyncio.gather(
            verdicts(python, server, bench.folder / "direct"), verdicts(python, sidecar.proxy, bench.folder / "proxied")
        )
        # The outcome of an upgrade is its handshake, whatever is said afterwards.
        await bench.until_counted(success=CASES, failure=0)

    assert len(direct) == CASES
    assert sum(verdict.behavior in PASSED for verdict in direct.values()) >= CASES - 1
    other = {case: (direct[case], proxied.get(case)) for case in direct if direct[case] != proxied.get(case)}
    assert other == {}, sidecar.log()
