import os
from pathlib import Path

import pytest

from tailslide_embedded.users import (
    OUR_IDS,
    RunAs,
    check_way_of_root,
    first_out_of_reach,
    hand_over,
    has_name,
    may,
    open_way,
    unused_id,
)
from tailslide_runtime.errors import StartError

STRANGER = RunAs(uid=65533, gid=65533)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another user")


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
    assert may(folder, user, 0o1) is expected
    folder.chmod(0o700)


def test_a_closed_parent_is_named(tmp_path: Path) -> None:
    data = tmp_path / "closed" / "data"
    data.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    with pytest.raises(StartError, match=f"cannot enter {tmp_path / 'closed'}: choose a --data-dir elsewhere"):
        open_way(data, STRANGER)
    assert data.stat().st_mode & 0o777 == 0o755 | 0o011


def test_a_program_is_out_of_reach_in_a_closed_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    program = tmp_path / "program"
    program.touch(mode=0o755)
    assert first_out_of_reach([Path("/bin/sh"), program], STRANGER) == tmp_path
    assert first_out_of_reach([Path("/bin/sh")], STRANGER) is None


def test_an_id_is_of_our_range_and_nobodys() -> None:
    taken = set(OUR_IDS[:-2])
    number = unused_id(taken)
    assert number in OUR_IDS[-2:]
    assert not has_name(number)
    with pytest.raises(StartError, match="no user id of 59000 to 59999 is free"):
        unused_id(OUR_IDS)
    assert has_name(0)


@needs_root
def test_a_folder_is_handed_over_with_what_it_holds_and_nothing_behind_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    folder = tmp_path / "redis"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").touch()
    (folder / "link").symlink_to(outside)
    (folder / "to-folder").symlink_to(tmp_path)
    hand_over(folder, STRANGER)
    for path in (folder, folder / "inner", folder / "inner" / "file"):
        assert (path.stat().st_uid, path.stat().st_gid) == (STRANGER.uid, STRANGER.gid)
    assert outside.stat().st_uid == tmp_path.stat().st_uid == 0


@needs_root
def test_a_file_of_another_user_or_with_a_second_name_is_not_given_away(tmp_path: Path) -> None:
    nobody = RunAs(65534, 65534)
    secret = tmp_path / "secret"
    secret.touch()
    folder = tmp_path / "postgres"
    folder.mkdir()
    os.chown(folder, nobody.uid, nobody.gid)
    (folder / "name").hardlink_to(secret)  # as nobody could where links to others' files are not forbidden
    hand_over(folder, STRANGER)
    assert secret.stat().st_uid == 0
    for owner, why in ((nobody.uid, "has 2 names"), (4711, "it belongs to user id 4711")):
        os.chown(folder, nobody.uid, nobody.gid)
        os.chown(secret, owner, owner)
        with pytest.raises(StartError, match=rf"postgres/name was not made by a server of ours \(.*{why}"):
            hand_over(folder, STRANGER)
        assert secret.stat().st_uid == owner
    os.chown(secret, nobody.uid, nobody.gid)
    assert secret.stat().st_uid == nobody.uid
    secret.unlink()
    hand_over(folder, STRANGER)
    assert (folder / "name").stat().st_uid == STRANGER.uid


@needs_root
def test_root_starts_nothing_in_a_folder_that_another_user_can_replace(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    check_way_of_root(theirs / "data")
    os.chown(theirs, STRANGER.uid, STRANGER.gid)
    with pytest.raises(StartError, match=f"--data-dir: {theirs} can be changed by user id {STRANGER.uid}"):
        check_way_of_root(theirs / "data")
    os.chown(theirs, 0, 0)
    theirs.chmod(0o777)
    with pytest.raises(StartError, match="can be changed by others"):
        check_way_of_root(theirs / "data")
    theirs.chmod(0o1777)
    check_way_of_root(theirs / "data")
