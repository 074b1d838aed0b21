"""Applications' own HTTP clients through the proxy: what they are told, and what the origin sees, is as without it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from proxy_clients import KINDS, Program, Result, comparable, comparable_requests, differences, program_of
from proxy_origin import EVENTS, GZIP, Origin, Seen, large_body_sha256, running_origin
from sidecar_bench import Bench, Sidecar, bench_on

from tailslide_embedded.stack import Endpoints

MIB = 1_048_576
WHOLE_GIB = os.environ.get("TAILSLIDE_TEST_GIB", "") == "1"
"""Whether every client carries 1 GiB each way; otherwise curl does, and the others 64 MiB."""


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running_origin() as running:
        yield running
    assert running.faults == []


@pytest.fixture(scope="module", params=KINDS)
def program(request: pytest.FixtureRequest) -> Iterator[Program]:
    with program_of(request.param) as runnable:
        yield runnable


@dataclass(frozen=True)
class Directly:
    """What a program was answered without a proxy, and what the origin had seen of it."""

    url: str
    results: dict[str, Result]
    requests: list[Seen]


@pytest.fixture(scope="module")
def directly(program: Program) -> Directly:
    with running_origin() as origin:
        results = asyncio.run(program.scenarios(origin.url))
        assert origin.faults == []
        return Directly(origin.url, results, origin.take())


async def through(bench: Bench, origin: Origin, way: str) -> Sidecar:
    """Start a sidecar whose route to the origin is behind a flag that is on, or is not."""
    await bench.put(bench.ruleset())
    if way == "unflagged":
        return await bench.start({"upstream": origin.url})
    # What may be sent again is held back for it, and goes on unchanged all the same.
    again = bench.route(origin.url, {"status": 503}, match={"methods": ["PUT"]}, retry_on_fallback="idempotent")
    return await bench.start(again, bench.route(origin.url, {"status": 503}))


@pytest.mark.timeout(300)  # building the Go client takes its time
def test_the_program_tells_what_it_is_answered(program: Program, directly: Directly) -> None:
    """Else both ways could be the same and nothing shown."""
    results = directly.results
    others = {"204": 204, "304": 304, "refuse-continue": 417}
    assert {name: result.status for name, result in results.items()} == {
        name: others.get(name, 200) for name in results
    }
    assert {name for name, result in results.items() if result.error} == {"cut", "cut-chunked"}
    assert results["gzip"].sha256 == results["gzip-chunked"].sha256 == hashlib.sha256(GZIP).hexdigest()
    assert results["chunked"].length == 74_107
    assert results["upload-length"].text == f"length 100000 {large_body_sha256(100_000)}"
    assert results["continue-chunked"].text == f"100-continue\nchunked 100000 {large_body_sha256(100_000)}"
    assert results["events"].text.count("data: ") == EVENTS
    if program.kind != "java":
        assert [status for status, _ in results["early-hints"].interim] == [103]
        assert [status for status, _ in results["continue"].interim] == [100]
        assert dict(results["trailers"].trailers) == {"X-Sum": "42", "X-Note": "a  b"}
        assert results["continue"].sent
        assert not results["refuse-continue"].sent
    sequential = [seen.connection for seen in directly.requests if seen.target == b"/sequential"]
    assert sequential == [sequential[0]] * 50


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["unflagged", "flagged"])
async def test_a_client_cannot_tell_and_neither_can_the_origin(
    way: str, program: Program, directly: Directly, bench: Bench, origin: Origin
) -> None:
    sidecar = await through(bench, origin, way)
    results = await program.scenarios(sidecar.proxy)
    requests = origin.take()

    changed = []
    for name, direct in directly.results.items():
        changed += differences(f"answer to {name}", comparable(name, direct), comparable(name, results[name]))
    sent = comparable_requests(directly.requests, directly.url)
    arrived = comparable_requests(requests, sidecar.proxy)
    for was, came in zip(sent, arrived, strict=False):
        changed += differences(f"request {was['line']!r}", was, came)
    assert changed == [], "\n".join(changed)
    assert len(arrived) == len(sent)
    assert results["undated"].header("date") is not None
    assert (results["length"].header("x-tailslide") is not None) == (way == "flagged")
    assert all(seen.header(b"via") is not None for seen in requests)

    sequential = [seen.connection for seen in requests if seen.target == b"/sequential"]
    assert len(sequential) == 50
    assert len(set(sequential)) <= 2
    assert results["sequential"].connections <= directly.results["sequential"].connections


def resident_peak(sidecar: Sidecar) -> int:
    """Return the most memory that the process has had so far, in bytes; 0 where the system does not tell."""
    status = Path(f"/proc/{sidecar.process.pid}/status")
    if not status.exists():
        return 0
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", ["unflagged", "flagged"])
async def test_a_large_body_passes_whole_both_ways(way: str, program: Program, bench: Bench, origin: Origin) -> None:
    size = 1024 * MIB if WHOLE_GIB or (program.kind, way) == ("curl", "flagged") else 64 * MIB
    sidecar = await through(bench, origin, way)
    before = resident_peak(sidecar)

    results = await program.bodies(sidecar.proxy, size)

    assert resident_peak(sidecar) - before < 32 * MIB
    content = f"{size} {large_body_sha256(size)}"
    ended = {name: (result.status, result.error) for name, result in results.items()}
    assert ended == dict.fromkeys(("download", "upload-length", "upload-chunked"), (200, ""))
    assert f"{results['download'].length} {results['download'].sha256}" == content
    assert results["download"].header("content-length") == str(size)
    assert results["upload-length"].text == f"length {content}"
    assert results["upload-chunked"].text == f"chunked {content}"
