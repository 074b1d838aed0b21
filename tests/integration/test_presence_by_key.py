"""A sidecar that was let in by an SDK key: its entry crosses from the sidecars' account into Tower's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from real_servers import RealServers
from sidecar_bench import bench_on
from tower_bench import Tower, TowerBench, tower_bench, until

from tailslide_runtime.server_urls import NatsUrl


@pytest.fixture
async def bench(own_servers: RealServers, tmp_path: Path) -> AsyncIterator[TowerBench]:
    access = own_servers.endpoints.nats_access
    assert access is not None
    async with tower_bench(own_servers, tmp_path) as made:
        made.more_settings = {
            "nats_url": NatsUrl.parse(access.tower_url),
            "nats_issuer_seed": SecretStr(access.issuer_seed),
            "nats_callout_url": NatsUrl.parse(access.callout_url),
            "nats_system_url": NatsUrl.parse(access.system_url),
        }
        yield made


def arrived(state: dict[str, Any]) -> bool:
    return bool(state["arrived"]["of"] == state["arrived"]["arrived"] == 1)


async def test_a_sidecar_with_a_key_is_seen_takes_changes_and_leaves(tower: Tower, own_servers: RealServers) -> None:
    await tower.ok("POST", "/apps/shop/flags", {"key": "new-checkout", "active": True})
    key = (await tower.ok("POST", "/apps/shop/keys", {"name": "production"}))["key"]
    url = own_servers.endpoints.nats_url
    async with bench_on(url, own_servers.endpoints.redis_url) as sidecars:
        sidecars.app = "shop"
        sidecars.environment = {"TAILSLIDE_NATS_URL": str(NatsUrl.parse(url)), "TAILSLIDE_SDK_KEY": key}
        sidecar = await sidecars.start()
        await tower.until_state(
            lambda state: state["arrived"]["of"] == state["arrived"]["arrived"] == 1, "new-checkout"
        )
        await tower.ok("PATCH", "/apps/shop/flags/new-checkout", {"rollout": 5})
        state = await tower.until_state(lambda state: state["arrived"]["arrived"] == 1, "new-checkout")
        assert "arrived in 1 of 1 sidecar" in state["sentence"]
        (shown,) = (await tower.ok("GET", "/apps/shop/sidecars"))["sidecars"]
        assert shown["instance"] == (await sidecar.get("/v1/status"))[1]["instance"]
        assert await sidecar.end() == 0

        async def gone() -> bool:
            return not (await tower.ok("GET", "/apps/shop/sidecars"))["sidecars"]

        await until(gone)
