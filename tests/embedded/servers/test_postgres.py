import os
from pathlib import Path

import pytest

from tailslide_embedded.processes import RunAs
from tailslide_embedded.servers.postgres import _may, _open_way, _within_reach
from tailslide_runtime.errors import StartError

STRANGER = RunAs(uid=65533, gid=65533)


@pytest.mark.parametrize(
    ("mode", "user", "expected"),
    [
        (0o700, STRANGER, False),
        (0o711, STRANGER, True),
        (0o700, RunAs(os.getuid(), 65533), True),
        (0o071, RunAs(65533, os.getgid()), True),
        # As in the kernel, the owner's bits count for the owner even where others may do more.
        (0o071, RunAs(os.getuid(), os.getgid()), False),
    ],
)
def test_who_may_enter_a_folder(tmp_path: Path, mode: int, user: RunAs, expected: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.chown(folder, os.getuid(), os.getgid())
    folder.chmod(mode)
    assert _may(folder, user, 0o1) is expected
    folder.chmod(0o700)


def test_a_closed_parent_is_named(tmp_path: Path) -> None:
    data = tmp_path / "closed" / "data"
    data.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    with pytest.raises(StartError, match=f"cannot enter {tmp_path / 'closed'}: choose a --data-dir elsewhere"):
        _open_way(data, STRANGER)
    assert data.stat().st_mode & 0o777 == 0o755 | 0o011


def test_a_program_is_out_of_reach_in_a_closed_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    program = tmp_path / "program"
    program.touch(mode=0o755)
    assert not _within_reach(program, STRANGER)
    assert _within_reach(Path("/bin/sh"), STRANGER)
