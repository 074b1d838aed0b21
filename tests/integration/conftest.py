"""One set of real servers for the whole run; each test keeps to keys of its own. Towers have servers of their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from real_servers import RealServers, real_servers
from tower_bench import Tower, TowerBench, tower_bench

from tailslide_embedded.stack import Endpoints


@pytest.fixture(scope="session")
def running_servers() -> Iterator[RealServers]:
    with real_servers() as running:
        yield running


@pytest.fixture(scope="session")
def servers(running_servers: RealServers) -> Endpoints:
    return running_servers.endpoints


@pytest.fixture(scope="module")
def own_servers() -> Iterator[RealServers]:
    with real_servers() as running:
        yield running


@pytest.fixture
async def bench(own_servers: RealServers, tmp_path: Path) -> AsyncIterator[TowerBench]:
    async with tower_bench(own_servers, tmp_path) as made:
        yield made


@pytest.fixture
async def tower(bench: TowerBench) -> AsyncIterator[Tower]:
    async with bench.tower() as running:
        await running.ok("POST", "/apps", {"key": "shop"})
        yield running
