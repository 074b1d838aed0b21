"""The snapshot on disk: whole or not at all, and never another app's."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import circuits, rulesets

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import Mark
from tailslide_core.errors import ContractError
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_runtime.errors import StartError
from tailslide_sidecar.flag_store import Content
from tailslide_sidecar.snapshot import (
    Snapshot,
    SnapshotEncoder,
    SnapshotFile,
    SnapshotWriter,
    decode_snapshot,
)

RULESET = Ruleset("clinic", "f", 3, active=True, rollout=12.5, salt="s", circuit=CircuitSettings())
CONTENT = Content({"f": RULESET}, {"f": Circuit(State.OPEN, 0.0, trips=2)}, Mark(1_795_363_190_302, 1))


@given(
    st.dictionaries(st.just("f"), rulesets),
    st.dictionaries(st.just("f"), circuits()),
    st.none() | st.builds(Mark, st.integers(0, 2**53), st.integers(0, 10_000)),
    st.floats(0, 2e9),
)
def test_what_is_written_is_read(
    rules: dict[str, Ruleset], states: dict[str, Circuit], mark: Mark | None, saved_at: float
) -> None:
    snapshot = Snapshot("clinic", saved_at, Content(rules, states, mark))
    assert decode_snapshot(SnapshotEncoder().encode(snapshot), "clinic") == snapshot


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("fgh"), rulesets), st.dictionaries(st.sampled_from("fgh"), circuits())
        )
    )
)
def test_what_was_written_before_does_not_show(contents: list[tuple[dict[str, Ruleset], dict[str, Circuit]]]) -> None:
    encoder = SnapshotEncoder()
    for rules, states in contents:
        snapshot = Snapshot("clinic", 1.0, Content(rules, states))
        assert encoder.encode(snapshot) == SnapshotEncoder().encode(snapshot)


@given(st.data())
def test_no_damage_goes_unnoticed(data: st.DataObject) -> None:
    whole = SnapshotEncoder().encode(Snapshot("clinic", 1.0, CONTENT))
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
    try:
        read = decode_snapshot(damaged, "clinic")
    except ContractError:
        return
    assert read.content == CONTENT  # a space or a letter of no meaning


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"format": 2}', SnapshotEncoder().encode(Snapshot("a", 1.0, CONTENT))[:-9]]
)
def test_a_broken_file_is_put_aside(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(data)
    assert SnapshotFile(path, "clinic").read() is None
    assert (tmp_path / "s.json.broken").read_bytes() == data
    assert not path.exists()


def test_another_app_s_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    SnapshotFile(path, "other").write(CONTENT, 1.0)
    assert SnapshotFile(path, "clinic").read() is None
    assert (tmp_path / "s.json.broken").exists()


def test_no_file_is_no_snapshot(tmp_path: Path) -> None:
    assert SnapshotFile(tmp_path / "s.json", "clinic").read() is None


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
    for path in (tmp_path / "file" / "s.json", tmp_path):
        with pytest.raises(StartError, match=rf"^snapshot: {path} cannot be written"):
            SnapshotFile(path, "clinic").check()


def test_a_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "s.json", "clinic")
    file.write(Content({}, {}), 1.0)
    file.write(CONTENT, 2.0)
    assert file.read() == Snapshot("clinic", 2.0, CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


async def test_a_change_is_written_soon(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "s.json", "clinic")
    counted: asyncio.Queue[str] = asyncio.Queue()
    writer = SnapshotWriter(file, lambda: CONTENT, counted.put_nowait, lambda: 100.0)
    await writer.write()
    assert counted.get_nowait() == "written"
    snapshot = file.read()
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
