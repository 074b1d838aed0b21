"""Started by root, each process has a user of its own that owns nothing but that process's folder."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_servers import processes_on, temporary_folder

from tailslide_embedded.data_dir import open_data_dir
from tailslide_embedded.parts import user_of_part
from tailslide_embedded.processes import Child
from tailslide_embedded.stack import Stack, embedded_servers
from tailslide_embedded.users import OUR_IDS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as other users")
NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: " ".join(rest.split()) for name, _, rest in (line.partition(":") for line in lines)}


def user_of(child: Child) -> int:
    assert child.pid is not None
    status = status_of(child.pid)
    (user,) = set(status["Uid"].split())
    (group,) = set(status["Gid"].split())
    assert user == group
    assert status["Groups"] == ""
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    return int(user)


def owners_in(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*")) if not path.name.endswith(".conf")}


def can_read(user: int, path: Path) -> bool:
    done = subprocess.run(["cat", path], user=user, group=user, extra_groups=[], capture_output=True, check=False)
    assert done.returncode == 0 or b"Permission denied" in done.stderr
    return done.returncode == 0


def can_write_in(user: int, folder: Path) -> bool:
    words = ["touch", str(folder / "made-by-another")]
    done = subprocess.run(words, user=user, group=user, extra_groups=[], capture_output=True, check=False)
    return done.returncode == 0


async def test_each_server_is_a_user_of_its_own_and_keeps_it(folder: Path) -> None:
    found: list[dict[str, int]] = []
    for _ in range(2):
        async with embedded_servers(folder) as stack:
            found.append({name: user_of(child) for name, child in stack.children.items()})
            for name, user in found[-1].items():
                assert owners_in(folder / name) == {user}
    assert found[0] == found[1]
    assert len(set(found[0].values())) == 3
    assert set(found[0].values()) <= set(OUR_IDS)


async def test_neither_a_server_nor_nobody_reads_what_is_not_its_own(folder: Path) -> None:
    async with embedded_servers(folder) as stack:
        users = {name: user_of(child) for name, child in stack.children.items()}
        own = {"nats": "nats/nats.conf", "redis": "redis/redis.conf", "postgres": "postgres/cluster/PG_VERSION"}
        ours = ["secrets.json", "state.json", "lock", "servers.lock", "postgres.lock", "logs/nats.log"]
        for who, user in {**users, "nobody": NOBODY}.items():
            readable = {path for path in (*own.values(), *ours) if can_read(user, folder / path)}
            assert readable == ({own[who]} if who in own else set()), who
            writable = {name for name in (".", "logs", "programs", *own) if can_write_in(user, folder / name)}
            assert writable == ({who} if who in own else set()), who


async def test_a_redis_module_is_the_roots_and_cannot_be_changed_by_redis(folder: Path) -> None:
    async with embedded_servers(folder) as stack:
        (module,) = (folder / "programs").glob("redistimeseries-*/redistimeseries.so")
        assert module.stat().st_uid == 0
        assert module.stat().st_mode & 0o022 == 0
        assert "libssl" not in mapped_by(stack)
        assert "redistimeseries.so" in mapped_by(stack)


def mapped_by(stack: Stack) -> str:
    return Path(f"/proc/{stack.children['redis'].pid}/maps").read_text()


async def test_a_part_has_a_user_of_its_own_where_python_can_be_read_and_else_it_is_said(folder: Path) -> None:
    said: list[str] = []
    async with open_data_dir(folder) as data:
        user = user_of_part(data, "tower", said.append)
    if user is None:
        assert len(said) == 1
        assert said[0].startswith("Tower runs as root: other users cannot read /")
    else:
        assert said == []
        assert user.uid in OUR_IDS
    assert processes_on(folder) == set()
