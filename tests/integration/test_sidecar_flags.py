"""A sidecar's answers about flags: from NATS, without NATS, from its snapshot, and against bad values."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from sidecar_bench import FLAG, Bench, OwnServers, bench_on, bench_with_servers

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import Mark, encode_mark
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, mark_key
from tailslide_embedded.stack import Endpoints

OPEN = Circuit(State.OPEN, 0.0, trips=1, generation=1)


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.fixture
async def own() -> AsyncIterator[tuple[Bench, OwnServers]]:
    async with bench_with_servers() as running:
        yield running


async def test_answers_follow_the_buckets(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()

    assert await sidecar.get(f"/v1/flags/{FLAG}?targeting_key=u1") == (
        200,
        {
            "flag": FLAG,
            "active": True,
            "variant": "on",
            "value": True,
            "reason": "STATIC",
            "circuit": "closed",
            "version": 1,
        },
    )
    await bench.put_circuit(OPEN)
    await sidecar.until_answers(active=False, reason="CIRCUIT_OPEN", circuit="open")
    await bench.put_circuit(Circuit())
    await sidecar.until_answers(active=True)
    await bench.put(bench.ruleset(active=False))
    await sidecar.until_answers(active=False, reason="DISABLED")
    await bench.put_raw(RULESETS_BUCKET, str(bench.flag_id()), None)

    async def gone() -> bool:
        return (await sidecar.get(f"/v1/flags/{FLAG}"))[0] == 404

    await sidecar.until(gone)


async def test_an_unknown_flag_and_a_bad_key_are_named(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()

    assert await sidecar.get("/v1/flags/nothing") == (
        404,
        {
            "error": {
                "code": "FLAG_NOT_FOUND",
                "message": f"the app {bench.app} has no flag nothing",
                "field": "key",
            }
        },
    )
    status, body = await sidecar.get("/v1/flags/No%20Key")
    assert status == 400
    assert body["error"]["field"] == "key"  # type: ignore[index] # the error shape


async def test_a_bad_value_leaves_the_last_good_one_and_is_counted_once(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    other = encode_ruleset(bench.ruleset()).replace(bench.app.encode(), b"other")
    for bad in (b"{", b'{"schema": 2}', other):
        await bench.put_raw(RULESETS_BUCKET, str(bench.flag_id()), bad)
    await bench.put_raw(CIRCUITS_BUCKET, str(bench.flag_id()), b'{"schema": 1, "state": "ajar"}')

    await sidecar.until_metric('tailslide_sidecar_refused_values_total{bucket="rulesets"}', 3)
    await sidecar.until_metric('tailslide_sidecar_refused_values_total{bucket="circuits"}', 1)
    await sidecar.until_answers(active=True, circuit="closed", version=1)
    assert sidecar.log().count("the last good one stays") == 4
    await bench.put(bench.ruleset(active=False))
    await sidecar.until_answers(active=False)


async def test_a_wiped_bucket_takes_nothing_away(own: tuple[Bench, OwnServers]) -> None:
    bench, _ = own
    await bench.put(bench.ruleset())
    sidecar = await bench.start()

    await bench.wipe(RULESETS_BUCKET)
    await sidecar.until_metric("tailslide_sidecar_flags_kept", 1)

    await sidecar.until_answers(active=True)
    assert (await sidecar.get("/v1/status"))[1]["flags_kept"] == [FLAG]
    await bench.put(bench.ruleset(active=False))
    await sidecar.until_answers(active=False)
    assert (await sidecar.get("/v1/status"))[1]["flags_kept"] == []


async def test_without_nats_it_answers_and_after_a_restart_from_the_snapshot(own: tuple[Bench, OwnServers]) -> None:
    bench, servers = own
    snapshot = bench.folder / "snapshot" / "clinic.json"
    await bench.put(bench.ruleset())
    await bench.put_circuit(OPEN)
    sidecar = await bench.start(snapshot=str(snapshot))
    await sidecar.until_answers(circuit="open")

    await servers.kill(servers.nats)
    await sidecar.until_metric("tailslide_sidecar_nats_connected", 0)
    await sidecar.until_answers(circuit="open")
    status, ready = await sidecar.get("/readyz")
    assert (status, ready["source"], ready["connected"]) == (200, "jetstream", False)
    assert await sidecar.end() == 0

    again = await bench.start(snapshot=str(snapshot))
    await again.until_answers(circuit="open")
    status, ready = await again.get("/readyz")
    assert (status, ready["source"], ready["connected"]) == (200, "snapshot", False)
    age_ms = ready["age_ms"]
    assert isinstance(age_ms, int)
    assert age_ms > 0

    await servers.nats.start()
    await bench.put_circuit(Circuit())
    await again.until_answers(circuit="closed")
    assert (await again.get("/readyz"))[1]["source"] == "jetstream"


async def test_the_snapshot_survives_a_kill(own: tuple[Bench, OwnServers]) -> None:
    bench, servers = own
    snapshot = bench.folder / "clinic.json"
    await bench.put(bench.ruleset())
    sidecar = await bench.start(snapshot=str(snapshot))
    await sidecar.until_metric('tailslide_sidecar_snapshot_writes_total{result="written"}', 1)
    await sidecar.end(signal.SIGKILL)
    await servers.kill(servers.nats)

    again = await bench.start(snapshot=str(snapshot))

    await again.until_answers(active=True)
    assert list(bench.folder.glob(".clinic*")) == []


async def test_a_damaged_snapshot_is_put_aside(own: tuple[Bench, OwnServers]) -> None:
    bench, servers = own
    await servers.kill(servers.nats)
    snapshot = bench.folder / "clinic.json"
    snapshot.write_text('{"format": 1, "checksum"')

    sidecar = await bench.start(snapshot=str(snapshot), ready=False)

    status, body = await sidecar.get("/readyz")
    assert status == 503
    assert body["error"]["code"] == "NOT_READY"  # type: ignore[index] # the error shape
    assert (bench.folder / "clinic.json.broken").exists()
    assert "snapshot_put_aside" in sidecar.log()


async def test_an_app_that_was_never_published_is_told_everywhere(bench: Bench) -> None:
    await bench.put_raw(RULESETS_BUCKET, "other.f", None)
    sidecar = await bench.start()
    problem = f"Tower has never published the app {bench.app}: create it in Tower, or correct app in the sidecar's file"
    for path in ("/readyz", "/v1/status"):
        status, told = await sidecar.get(path)
        assert (status, told["published"], told["problem"]) == (200, False, problem)
    assert sidecar.log().count("app_never_published") == 1

    await bench.put_raw(RULESETS_BUCKET, mark_key(bench.app), encode_mark(Mark(1, 0)))

    async def published() -> bool:
        return (await sidecar.get("/readyz"))[1].get("published") is True

    await sidecar.until(published)
    assert "problem" not in (await sidecar.get("/readyz"))[1]


async def test_a_route_that_names_no_flag_is_reported_and_falls_back(bench: Bench) -> None:
    sidecar = await bench.start(
        bench.route("http://127.0.0.1:9", {"status": 418, "body": "old"}, flag="missing"), ready=False
    )
    await bench.put(bench.ruleset())
    await sidecar.until_answers(active=True)

    status = (await sidecar.get("/v1/status"))[1]
    assert status["unknown_flags"] == ["missing"]
    async with aiohttp.ClientSession() as session, session.get(sidecar.proxy) as answer:
        assert (answer.status, await answer.text()) == (418, "old")
        assert answer.headers["x-tailslide"] == "flag=missing; active=false; reason=FLAG_NOT_FOUND"
    assert sidecar.log().count('"flag": "missing"') == 1


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"flags_listen": "127.0.0.1:{port}"}, "flags_listen: 127.0.0.1:{port} is in use"),
        ({"proxy_listen": "127.0.0.1:{port}", "flags_listen": "127.0.0.1:0"}, "proxy_listen: 127.0.0.1:{port} is in"),
        ({"flags_listen": "127.0.0.1:0", "snapshot": "{file}/x.json"}, "snapshot: {file}/x.json cannot be written"),
    ],
)
async def test_a_start_that_fails_is_one_sentence(bench: Bench, config: dict[str, str], sentence: str) -> None:
    file = bench.folder / "file"
    file.write_text("")
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    filled = {name: value.format(port=port, file=file) for name, value in config.items()}

    sidecar = await bench.start(ready=True, **filled)

    assert await sidecar.process.wait() == 1
    taken.close()
    await taken.wait_closed()
    errors = [line for line in sidecar.log().splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert errors[0].removeprefix("Error: ").startswith(sentence.format(port=port, file=file))


async def test_a_bad_file_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(json.dumps({"app": "clinic", "routes": [{"upstream": "http://h", "match": {"methods": [5]}}]}))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tailslide_sidecar.main", str(file), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    where = f"{file}: line 1: routes[0].match.methods[0]"
    assert errors.decode().startswith(f"Error: {where}: expected a method like GET or POST ")
    assert errors.decode().count("\n") == 1
