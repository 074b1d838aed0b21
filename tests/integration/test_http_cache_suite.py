"""The HTTP cache suite says the same of its origin directly and through a flagged route."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sidecar_bench import Bench, bench_on
from suite_http_cache import CASES, origin, results

from tailslide_embedded.stack import Endpoints

ELSEWHERE = {"status": 503, "body": "the flag is off"}


@dataclass(frozen=True)
class Difference:
    """Why a proxy must not do as the origin does, and how the case's requests are answered for that reason."""

    rule: str
    statuses: tuple[int, ...]


NO_ANSWER = Difference(
    "RFC 9110 §15.6.3: the origin ends the connection instead of answering the second request; a proxy answers 502",
    (200, 502),
)
CODING = Difference(
    "RFC 9112 §6.1, §7: the answer has an unknown transfer coding, which a proxy can neither undo nor pass on untold",
    (502,),
)
SURPLUS = (
    "RFC 9112 §6.3: bytes behind the Content-Length must not be forwarded; a client without a proxy stumbles there"
)

DIFFERENCES = {
    "stale-close": NO_ANSWER,
    "stale-close-must-revalidate": NO_ANSWER,
    "stale-close-no-cache": NO_ANSWER,
    "stale-close-proxy-revalidate": NO_ANSWER,
    "stale-close-s-maxage=2": NO_ANSWER,
    "stale-sie-503": NO_ANSWER,
    "stale-sie-close": NO_ANSWER,
    "stale-warning-become": NO_ANSWER,
    "stale-warning-stored": NO_ANSWER,
    "headers-store-Transfer-Encoding": CODING,
    "headers-store-Content-Length": Difference(SURPLUS, (200, 200)),
    # 999 is the suite's word for "should have been conditional", as in all of its cases about updates.
    "304-etag-update-response-Content-Length": Difference(SURPLUS, (200, 999)),
}
"""By case; all others are the same, word for word and status for status."""


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.mark.timeout(400)
async def test_the_same_result_of_every_case(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    async with origin(bench.folder) as server:
        sidecar = await bench.start(bench.route(server, ELSEWHERE))
        direct, proxied = await asyncio.gather(results(server), results(sidecar.proxy))

    assert len(direct) == CASES
    assert direct.keys() == proxied.keys()
    alike = direct.keys() - DIFFERENCES.keys()
    other = {case: (direct[case], proxied[case]) for case in alike if direct[case] != proxied[case]}
    assert other == {}, sidecar.log()
    for case, difference in DIFFERENCES.items():
        assert proxied[case].statuses == difference.statuses, (case, difference.rule, direct[case], proxied[case])
