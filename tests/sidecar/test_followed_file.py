"""A file that cannot be read is tried again with each look, and its problem is logged once."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from open_files import no_descriptor_left

from tailslide_sidecar.followed_file import FollowedFile
from tailslide_sidecar.yaml_file import read_yaml, stamp_of

TOO_MANY = "flags.yaml: cannot be read (Too many open files)"
MISSING = "flags.yaml: cannot be read (No such file or directory)"


@dataclass
class Owner:
    taken: list[object] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)


class Followed(FollowedFile[object]):
    def __init__(self, path: Path, owner: Owner) -> None:
        super().__init__(path, stamp_of(path), now_s=lambda: 100.0, poll_s=0.001)
        self._path = path
        self._owner = owner

    def _read(self) -> object:
        return read_yaml(self._path, "flags").value

    def _take(self, content: object) -> None:
        self._owner.taken.append(content)

    def _log_refusal(self, problem: str, *, unexpected: bool) -> None:
        assert not unexpected
        self._owner.logged.append(problem.rpartition("/")[2])


async def look(file: FollowedFile[object], times: int) -> None:
    for _ in range(times):
        await file.look()


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
async def followed(tmp_path: Path, owner: Owner) -> Followed:
    """A file in a folder, read once since the start, so that no module is left to be imported."""
    path = tmp_path / "folder" / "flags.yaml"
    path.parent.mkdir()
    path.write_text("a: 1")
    file = Followed(path, owner)
    await file.read()
    assert (owner.taken.pop(), file.loaded) == ({"a": 1}, 1)
    return file


async def test_a_file_is_read_when_descriptors_are_free_again(tmp_path: Path, owner: Owner, followed: Followed) -> None:
    (tmp_path / "folder" / "flags.yaml").write_text("a: 2")
    with no_descriptor_left():
        await look(followed, 5)
    assert (owner.logged, owner.taken) == ([TOO_MANY], [])
    assert (followed.refused, followed.problem) == (1, f"{tmp_path}/folder/{TOO_MANY}")
    await look(followed, 5)
    assert (owner.logged, owner.taken) == ([TOO_MANY], [{"a": 2}])
    assert (followed.refused, followed.loaded, followed.problem) == (1, 2, None)


async def test_a_folder_that_goes_away_and_comes_back_as_it_was(
    tmp_path: Path, owner: Owner, followed: Followed
) -> None:
    (tmp_path / "folder").rename(tmp_path / "away")
    await look(followed, 5)
    assert (owner.logged, followed.refused) == ([MISSING], 1)
    (tmp_path / "away").rename(tmp_path / "folder")
    await look(followed, 5)
    assert (owner.logged, owner.taken, followed.problem) == ([MISSING], [{"a": 1}], None)


async def test_another_problem_is_logged(tmp_path: Path, owner: Owner, followed: Followed) -> None:
    path = tmp_path / "folder" / "flags.yaml"
    path.write_text("a: [")
    with no_descriptor_left():
        await look(followed, 3)
    await look(followed, 3)
    assert [problem.partition("expected")[0] for problem in owner.logged] == [
        TOO_MANY,
        "flags.yaml: line 1, column 5: ",
    ]
    assert followed.refused == 2


async def test_a_read_that_was_asked_for_says_what_it_met(tmp_path: Path, owner: Owner, followed: Followed) -> None:
    (tmp_path / "folder" / "flags.yaml").unlink()
    await look(followed, 3)
    await followed.read()
    await look(followed, 3)
    assert (owner.logged, followed.refused) == ([MISSING] * 2, 2)


async def test_a_file_that_is_still_written_waits_though_the_last_read_failed(
    tmp_path: Path, owner: Owner, followed: Followed
) -> None:
    path = tmp_path / "folder" / "flags.yaml"
    path.unlink()
    await look(followed, 2)
    path.write_text("a: 3")
    await followed.look()
    path.write_text("a: 3\nb: 4")
    await followed.look()
    assert owner.taken == []
    await followed.look()
    assert owner.taken == [{"a": 3, "b": 4}]
