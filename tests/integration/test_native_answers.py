"""Answers of our own endpoints for flags of every type, as `docs/api/flags.md` describes them."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
import typed_flags
from ofrep_bench import OfrepSidecar, put_all, serve
from sidecar_bench import bench_on
from typed_flags import ALLOWED, KEYS, KINDS, OWN, Case, user_with_half

from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.stack import Endpoints

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sidecar(servers: Endpoints) -> AsyncIterator[OfrepSidecar]:
    async with bench_on(servers.nats_url, servers.redis_url) as bench:
        await put_all(bench, typed_flags.rulesets(bench.app), typed_flags.circuits(), typed_flags.segments(bench.app))
        yield await serve(bench, any_free_port())


async def ask(sidecar: OfrepSidecar, path: str, **query: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sidecar.url}{path}", params=query) as answer,
    ):
        return answer.status, await answer.text()


async def one(sidecar: OfrepSidecar, kind: str, case: Case, **query: str) -> dict[str, object]:
    status, text = await ask(sidecar, f"/v1/flags/{typed_flags.key(kind, case)}", **query)
    assert status == 200, text
    return dict(json.loads(text))


def expected(kind: str, case: Case, variant: str, reason: str, **more: object) -> dict[str, object]:
    return {
        "flag": typed_flags.key(kind, case),
        "active": variant != "none",
        "variant": variant,
        "value": KINDS[kind].value(variant),
        "reason": reason,
        "circuit": None,
        "version": 1,
        "metadata": OWN,
        **more,
    }


@pytest.mark.parametrize("kind", KINDS)
async def test_one_flag(sidecar: OfrepSidecar, kind: str) -> None:
    outside = user_with_half(typed_flags.key(kind, Case.RULES), inside=False)

    assert await one(sidecar, kind, Case.STATIC) == expected(kind, Case.STATIC, "one", "STATIC")
    assert await one(sidecar, kind, Case.HALF, targeting_key=ALLOWED) == expected(
        kind, Case.HALF, "one", "TARGETING_MATCH"
    )
    assert await one(sidecar, kind, Case.HALF) == expected(kind, Case.HALF, "none", "TARGETING_KEY_MISSING")
    assert await one(sidecar, kind, Case.RULES, country="DE") == expected(
        kind, Case.RULES, "other", "TARGETING_MATCH", rule="germans"
    )
    assert await one(sidecar, kind, Case.RULES, targeting_key=outside, plan="pro") == expected(
        kind, Case.RULES, "none", "SPLIT", rule="2"
    )
    assert await one(sidecar, kind, Case.INACTIVE) == expected(kind, Case.INACTIVE, "none", "DISABLED")
    assert await one(sidecar, kind, Case.OPEN) == expected(kind, Case.OPEN, "none", "CIRCUIT_OPEN", circuit="open")
    assert await one(sidecar, kind, Case.RECOVERING) == expected(
        kind, Case.RECOVERING, "none", "TARGETING_KEY_MISSING", circuit="recovering"
    )
    assert await one(sidecar, kind, Case.DEPENDENT) == expected(
        kind,
        Case.DEPENDENT,
        "none",
        "PREREQUISITE_FAILED",
        prerequisite=typed_flags.key(kind, Case.OPEN),
        prerequisite_reason="CIRCUIT_OPEN",
    )


async def test_all_flags_are_each_one(sidecar: OfrepSidecar) -> None:
    user = {"targeting_key": ALLOWED, "country": "DE"}
    _, text = await ask(sidecar, "/v1/flags", **user)

    flags = json.loads(text)["flags"]
    assert [flag["flag"] for flag in flags] == list(KEYS)
    for flag in flags:
        assert json.loads((await ask(sidecar, f"/v1/flags/{flag['flag']}", **user))[1]) == flag


async def test_whole_numbers_beside_one_with_a_fraction_have_one_too(sidecar: OfrepSidecar) -> None:
    _, mixed = await ask(sidecar, f"/v1/flags/{typed_flags.key('float', Case.RULES)}", country="DE")
    _, whole = await ask(sidecar, f"/v1/flags/{typed_flags.key('integer', Case.STATIC)}")

    assert '"value":2.0,' in mixed
    assert '"value":10,' in whole
