"""The snapshot's file: whole or not at all, ours or not believed. Links, pipes and owners: see `tests/integration`."""

import asyncio
import os
import re
import stat
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import Mark
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_runtime.errors import StartError
from tailslide_sidecar import snapshot_file
from tailslide_sidecar.flag_store import Content
from tailslide_sidecar.snapshot import Snapshot, SnapshotEncoder, decode_snapshot
from tailslide_sidecar.snapshot_file import Reading, ReadResult, SnapshotFile, SnapshotWriter

RULESET = Ruleset("clinic", "f", 3, active=True, rollout=12.5, salt="s", circuit=CircuitSettings())
CONTENT = Content({"f": RULESET}, {"f": Circuit(State.OPEN, 0.0, trips=2)}, Mark(1_795_363_190_302, 1))
DAMAGED = Reading(ReadResult.DAMAGED)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"format": 2}', SnapshotEncoder().encode(Snapshot("a", 1.0, CONTENT))[:-9]]
)
def test_a_broken_file_is_put_aside(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(data)
    assert SnapshotFile(path, "clinic").read() == DAMAGED
    assert (tmp_path / "s.json.broken").read_bytes() == data
    assert not path.exists()


def test_another_app_s_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    SnapshotFile(path, "other").write(CONTENT, 1.0)
    assert SnapshotFile(path, "clinic").read() == DAMAGED
    assert (tmp_path / "s.json.broken").exists()


def test_no_file_is_no_snapshot(tmp_path: Path) -> None:
    assert SnapshotFile(tmp_path / "s.json", "clinic").read() == Reading(ReadResult.MISSING)


def test_check_makes_folders_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "s.json"
    SnapshotFile(path, "clinic").check()
    assert list(path.parent.iterdir()) == []


def test_check_removes_what_a_killed_sidecar_was_writing_long_ago(tmp_path: Path) -> None:
    for name, age_s in (("s.json", 999), (".s.json.7.tmp", 999), (".s.json.8.tmp", 1), (".t.json.7.tmp", 999)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    SnapshotFile(tmp_path / "s.json", "clinic").check()
    assert {path.name for path in tmp_path.iterdir()} == {"s.json", ".s.json.8.tmp", ".t.json.7.tmp"}


def test_a_path_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "s.json", tmp_path, Path("/"), tmp_path / "s\0.json"):
        with pytest.raises(StartError, match=rf"^snapshot: {re.escape(str(path))} cannot be written"):
            SnapshotFile(path, "clinic").check()


def test_a_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "s.json", "clinic")
    file.write(Content({}, {}), 1.0)
    file.write(CONTENT, 2.0)
    assert file.read() == Reading(ReadResult.READ, Snapshot("clinic", 2.0, CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


async def test_a_change_is_written_soon(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "s.json", "clinic")
    counted: asyncio.Queue[str] = asyncio.Queue()
    writer = SnapshotWriter(file, lambda: CONTENT, counted.put_nowait, lambda: 100.0)
    await writer.write()
    assert counted.get_nowait() == "written"
    snapshot = file.read().snapshot
    assert snapshot is not None
    assert snapshot.content == CONTENT
    assert time.time() - snapshot.saved_at == pytest.approx(100, abs=5)


async def test_a_disk_that_fails_is_counted_and_raises_nothing(tmp_path: Path) -> None:
    counted: list[str] = []
    writer = SnapshotWriter(
        SnapshotFile(tmp_path / "gone" / "s.json", "clinic"), lambda: CONTENT, counted.append, lambda: 0.0
    )
    await writer.write()
    await writer.write()
    (tmp_path / "gone").mkdir()
    await writer.write()
    assert counted == ["failed", "failed", "written"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_files_and_folders_are_ours_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "a" / "b" / "s.json"
    before = os.umask(umask)
    try:
        file = SnapshotFile(path, "clinic")
        path.parent.parent.mkdir(mode=0o700)
        path.parent.parent.chmod(0o700)
        path.parent.mkdir(mode=0o700)
        path.parent.chmod(0o700)
        file.check()
        file.write(CONTENT, 1.0)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert file.read().snapshot is not None


def test_folders_that_are_made_are_ours_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        SnapshotFile(tmp_path / "a" / "b" / "s.json", "clinic").check()
    finally:
        os.umask(before)
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_old_snapshot_that_all_may_read_is_believed_and_private_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(SnapshotEncoder().encode(Snapshot("clinic", 1.0, CONTENT)))
    file = SnapshotFile(path, "clinic")
    for mode in (0o644, 0o660):  # the second is what Kubernetes makes of files on a volume with an fsGroup
        path.chmod(mode)
        assert file.read().result is ReadResult.READ
    file.write(CONTENT, 2.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o602, 0o666])
def test_a_file_that_everybody_may_write_to_is_put_aside(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "s.json"
    file = SnapshotFile(path, "clinic")
    file.write(CONTENT, 1.0)
    path.chmod(mode)
    with capture_logs() as logs:
        assert file.read() == DAMAGED
    assert logs[0]["event"] == "snapshot_put_aside"
    assert logs[0]["problem"] == f"everybody may write to it (mode {mode:04o})"
    assert not path.exists()


def test_a_second_broken_file_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    file = SnapshotFile(path, "clinic")
    for number in range(1, 12):
        path.write_text(f"broken {number}")
        assert file.read() == DAMAGED
    kept = {found.name: found.read_text() for found in tmp_path.iterdir()}
    assert kept == {
        "s.json.broken": "broken 1",
        **{f"s.json.broken.{number}": f"broken {number}" for number in range(2, 10)},
        "s.json": "broken 11",
    }
    file.write(CONTENT, 1.0)
    assert file.read().result is ReadResult.READ


def test_too_large_a_file_is_neither_read_nor_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.json"
    file = SnapshotFile(path, "clinic")
    file.write(CONTENT, 1.0)
    monkeypatch.setattr(snapshot_file, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(OSError, match="it would have more than"):
        file.write(CONTENT, 2.0)
    assert file.read() == DAMAGED


def test_a_huge_file_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    with path.open("wb") as huge:
        huge.truncate(10 * 1024**3)
    assert SnapshotFile(path, "clinic").read() == DAMAGED


def test_a_refused_flag_is_logged_with_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    other = Ruleset("other", "g", 1, active=True, rollout=5, salt="s")
    path.write_bytes(SnapshotEncoder().encode(Snapshot("clinic", 1.0, Content({"f": RULESET, "g": other}, {}))))
    with capture_logs() as logs:
        snapshot = SnapshotFile(path, "clinic").read().snapshot
    assert snapshot is not None
    assert snapshot.content.rulesets == {"f": RULESET}
    (line,) = logs
    assert (line["event"], line["values"]) == ("snapshot_values_refused", 1)
    assert line["problems"][0].startswith("rulesets.g: key: expected the ruleset of clinic.g")


def test_a_folder_that_everybody_may_write_to_is_told_of(tmp_path: Path) -> None:
    for mode, told in ((0o755, False), (0o770, False), (0o1777, False), (0o777, True)):
        tmp_path.chmod(mode)
        with capture_logs() as logs:
            SnapshotFile(tmp_path / "s.json", "clinic").check()
        assert [line["event"] for line in logs] == (["snapshot_folder_exposed"] if told else [])


def test_a_good_file_that_another_sidecar_has_written_meanwhile_is_not_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.json"
    path.write_text("broken")
    file, other = SnapshotFile(path, "clinic"), SnapshotFile(path, "clinic")

    def decode_slowly(data: bytes, app: str) -> Snapshot:
        other.write(CONTENT, 2.0)
        return decode_snapshot(data, app)

    monkeypatch.setattr(snapshot_file, "decode_snapshot", decode_slowly)
    assert file.read() == DAMAGED
    monkeypatch.undo()
    assert file.read().snapshot == Snapshot("clinic", 2.0, CONTENT)
    assert [found.name for found in tmp_path.iterdir()] == ["s.json"]
