"""Snapshots that others have put there: what a sidecar makes of links, pipes, sockets, foreign owners and wrong shapes.

Owners can only be given away by root: as another user, those tests are skipped.
"""

import hashlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from sidecar_bench import FLAG, Bench, bench_on

from tailslide_embedded.stack import Endpoints
from tailslide_sidecar.flag_store import Content
from tailslide_sidecar.snapshot import Snapshot, SnapshotEncoder
from tailslide_sidecar.snapshot_file import ReadResult, SnapshotFile

STRANGER = 12_345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
EVIL = b"another's"


@dataclass(frozen=True)
class Scene:
    """The path that a sidecar is told, and a file elsewhere that it must leave alone."""

    path: Path
    elsewhere: Path
    good: bytes
    """What a sidecar would believe, were it in the right place and of the right owner."""


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.fixture
def scene(bench: Bench) -> Scene:
    folder = bench.folder / "snapshots"
    folder.mkdir(mode=0o700)
    elsewhere = bench.folder / "elsewhere"
    elsewhere.write_bytes(EVIL)
    good = SnapshotEncoder().encode(Snapshot(bench.app, 1.0, Content({FLAG: bench.ruleset()}, {})))
    return Scene(folder / "clinic.json", elsewhere, good)


def link_to_a_good_snapshot(scene: Scene) -> None:
    scene.elsewhere.write_bytes(scene.good)
    scene.path.symlink_to(scene.elsewhere)


def link_to_nothing(scene: Scene) -> None:
    scene.path.symlink_to(scene.elsewhere.with_name("nothing"))


def link_to_a_device(scene: Scene) -> None:
    scene.path.symlink_to("/dev/zero")


def pipe(scene: Scene) -> None:
    os.mkfifo(scene.path)


def unix_socket(scene: Scene) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(scene.path))


def file_of_another_user(scene: Scene) -> None:
    scene.path.write_bytes(scene.good)
    os.chown(scene.path, STRANGER, STRANGER)


def secret_file_of_another_user(scene: Scene) -> None:
    file_of_another_user(scene)
    scene.path.chmod(0o000)


def folder_of_another_user(scene: Scene) -> None:
    scene.path.mkdir()
    os.chown(scene.path, STRANGER, STRANGER)


NOT_OURS = [
    link_to_a_good_snapshot,
    link_to_nothing,
    link_to_a_device,
    pipe,
    unix_socket,
    *(
        pytest.param(make, marks=as_root)
        for make in (file_of_another_user, secret_file_of_another_user, folder_of_another_user)
    ),
]


def state_of(path: Path) -> object:
    """Return all that tells whether something was touched."""
    status = path.lstat()
    return status.st_ino, status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns


@pytest.mark.parametrize("make", NOT_OURS)
async def test_what_is_not_ours_is_neither_believed_nor_touched(
    bench: Bench, scene: Scene, make: Callable[[Scene], None]
) -> None:
    make(scene)
    before, elsewhere = state_of(scene.path), scene.elsewhere.read_bytes()
    sidecar = await bench.start(snapshot=str(scene.path), ready=False)

    assert await sidecar.metric('tailslide_sidecar_snapshot_reads_total{result="untrusted"}') == 1
    assert "snapshot_not_trusted" in sidecar.log()
    # It serves what NATS says, as if it had no snapshot, and keeps none.
    await bench.put(bench.ruleset())
    await sidecar.until_answers(active=True)

    async def tried_to_write() -> bool:
        return await sidecar.metric('tailslide_sidecar_snapshot_writes_total{result="failed"}') > 0

    await sidecar.until(tried_to_write)
    assert await sidecar.metric('tailslide_sidecar_snapshot_writes_total{result="written"}') == 0
    assert await sidecar.end() == 0
    assert state_of(scene.path) == before
    assert scene.elsewhere.read_bytes() == elsewhere
    assert [found.name for found in scene.path.parent.iterdir()] == [scene.path.name]


def writable_by_others(scene: Scene) -> None:
    scene.path.write_bytes(scene.good)
    scene.path.chmod(0o666)


def ten_gigabytes(scene: Scene) -> None:
    with scene.path.open("wb") as file:
        file.truncate(10 * 1024**3)


def no_json(scene: Scene) -> None:
    scene.path.write_bytes(EVIL)


def list_of_rulesets(scene: Scene) -> None:
    body = orjson.loads(scene.good) | {"rulesets": [1, None]}
    del body["checksum"]
    checksum = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
    scene.path.write_bytes(orjson.dumps(body | {"checksum": checksum}))


def another_app(scene: Scene) -> None:
    scene.path.write_bytes(SnapshotEncoder().encode(Snapshot("other", 1.0, Content({}, {}))))


@pytest.mark.parametrize("make", [writable_by_others, ten_gigabytes, no_json, list_of_rulesets, another_app])
@pytest.mark.parametrize("taken", ["nothing", "link"])
async def test_what_is_ours_and_useless_is_put_aside(
    bench: Bench, scene: Scene, make: Callable[[Scene], None], taken: str
) -> None:
    make(scene)
    before = state_of(scene.path)
    broken = scene.path.with_name("clinic.json.broken")
    if taken == "link":
        broken.symlink_to(scene.elsewhere)
        broken = broken.with_name("clinic.json.broken.2")
    sidecar = await bench.start(snapshot=str(scene.path), ready=False)

    status, told = await sidecar.get("/readyz")
    # Where another test has left a bucket, there is something to answer from; it is not the file.
    assert status == 503 or told["source"] == "jetstream"
    assert await sidecar.metric('tailslide_sidecar_snapshot_reads_total{result="damaged"}') == 1
    assert state_of(broken) == before
    assert scene.elsewhere.read_bytes() == EVIL
    await bench.put(bench.ruleset())
    await sidecar.until_metric('tailslide_sidecar_snapshot_writes_total{result="written"}', 1)
    assert await sidecar.end() == 0
    assert scene.path.stat().st_mode & 0o777 == 0o600


async def test_links_under_the_names_that_were_once_written_to_are_left_alone(bench: Bench, scene: Scene) -> None:
    sidecar = await bench.start(snapshot=str(scene.path), ready=False)
    for suffix in ("tmp", "probe"):
        scene.path.with_name(f".clinic.json.{sidecar.process.pid}.{suffix}").symlink_to(scene.elsewhere)
    await bench.put(bench.ruleset())
    await sidecar.until_metric('tailslide_sidecar_snapshot_writes_total{result="written"}', 1)
    assert scene.elsewhere.read_bytes() == EVIL
    assert not scene.path.is_symlink()


@as_root
async def test_a_sidecar_of_one_user_takes_the_snapshot_of_root_and_of_nobody_else(scene: Scene) -> None:
    """In a child, which becomes a user without rights: what a service runs as."""
    scene.path.parent.parent.chmod(0o755)
    os.chown(scene.path.parent, STRANGER, STRANGER)
    app = orjson.loads(scene.good)["app"]
    for owner, expected in ((0, ReadResult.READ), (STRANGER, ReadResult.READ), (STRANGER + 1, ReadResult.UNTRUSTED)):
        scene.path.write_bytes(scene.good)
        os.chown(scene.path, owner, owner)
        assert as_user(STRANGER, lambda: SnapshotFile(scene.path, app).read().result) == expected


@as_root
async def test_several_sidecars_of_one_user_share_a_file_in_a_folder_that_all_may_write_to(scene: Scene) -> None:
    scene.path.parent.chmod(0o1777)
    scene.path.parent.parent.chmod(0o755)
    app = orjson.loads(scene.good)["app"]
    content = Content({}, {})
    for _ in range(2):
        assert as_user(STRANGER, lambda: SnapshotFile(scene.path, app).write(content, 1.0)) is None
    assert as_user(STRANGER, lambda: SnapshotFile(scene.path, app).read().result) == ReadResult.READ
    assert as_user(STRANGER + 1, lambda: SnapshotFile(scene.path, app).read().result) == ReadResult.UNTRUSTED
    assert as_user(STRANGER + 1, lambda: SnapshotFile(scene.path, app).write(content, 1.0)) == "UntrustedFileError"


def as_user(uid: int, do: Callable[[], object]) -> object:
    """Return what something comes to when another user does it: a text, or the name of the error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            result = do()
        except Exception as error:  # noqa: BLE001 # told to the parent
            result = type(error).__name__
        os.write(writing, orjson.dumps(result))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe_of_child:
        said = pipe_of_child.read()
    os.waitpid(child, 0)
    return orjson.loads(said)


async def test_a_folder_that_is_exchanged_in_the_middle_of_a_write_gets_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file goes where its beginning went, whatever has the path of the folder by then."""
    app = orjson.loads(scene.good)["app"]
    folder, moved = scene.path.parent, scene.path.parent.with_name("moved")
    trap = folder.with_name("trap")
    trap.mkdir()
    sync = os.fsync

    def exchange(descriptor: int) -> None:
        if not moved.exists():
            folder.rename(moved)
            folder.symlink_to(trap)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", exchange)
    SnapshotFile(scene.path, app).write(Content({}, {}), 1.0)
    assert list(trap.iterdir()) == []
    assert [found.name for found in moved.iterdir()] == ["clinic.json"]


async def test_a_sidecar_that_is_killed_while_it_writes_leaves_nothing_for_ever(bench: Bench, scene: Scene) -> None:
    sidecar = await bench.start(snapshot=str(scene.path), ready=False)
    await sidecar.end(signal.SIGKILL)
    abandoned = scene.path.with_name(".clinic.json.0123456789abcdef.tmp")
    foreign = scene.path.with_name(".clinic.json.0123456789abcde0.tmp")
    for left in (abandoned, foreign):
        left.touch()
        os.utime(left, (1, 1))
    if os.geteuid() == 0:
        os.chown(foreign, STRANGER, STRANGER)
    again = await bench.start(snapshot=str(scene.path), ready=False)
    assert await again.end() == 0
    assert not abandoned.exists()
    assert foreign.exists() == (os.geteuid() == 0)
