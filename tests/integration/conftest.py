"""One set of real servers for the whole run; each test keeps to keys of its own. Towers have another set: they are
killed now and then, and a Tower has a bucket for itself."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from client_packages import Packages
from real_servers import RealServers, real_servers
from tower_bench import Tower, TowerBench, tower_bench

import tailslide_tower.admission
from tailslide_embedded.stack import Endpoints
from tailslide_tower.auth.passwords import Passwords

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="session")
def running_servers() -> Iterator[RealServers]:
    with real_servers() as running:
        yield running


@pytest.fixture(scope="session")
def servers(running_servers: RealServers) -> Endpoints:
    return running_servers.endpoints


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """Return the packages of the thin clients, built once for the whole run."""
    return Packages(tmp_path_factory.mktemp("packages"))


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Towers in this process hash passwords quickly: the hundreds of log-ins are not about the hash.

    `test_access_clock` shows which parameters a Tower really has.
    """
    monkeypatch.setattr(tailslide_tower.admission, "Passwords", partial(Passwords, QUICK))


@pytest.fixture(scope="session")
def towers_servers() -> Iterator[RealServers]:
    with real_servers() as running:
        yield running


@pytest.fixture(scope="module")
def own_servers(towers_servers: RealServers) -> RealServers:
    """Return the servers of Towers, all of them running, whatever became of a test that had killed one."""
    towers_servers.start_what_is_gone()
    return towers_servers


@pytest.fixture
async def bench(own_servers: RealServers, tmp_path: Path) -> AsyncIterator[TowerBench]:
    async with tower_bench(own_servers, tmp_path) as made:
        yield made


@pytest.fixture
async def tower(bench: TowerBench) -> AsyncIterator[Tower]:
    async with bench.tower() as running:
        await running.ok("POST", "/apps", {"key": "shop"})
        yield running
