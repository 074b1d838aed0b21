import json
import os
from pathlib import Path

import pytest

from tailslide_embedded.data_dir import default_data_dir, environment_of_running, open_data_dir, working_directory
from tailslide_runtime.errors import StartError


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_secrets_are_made_once_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    async with open_data_dir(tmp_path / "a" / "b") as data:
        nats, redis = data.secret("nats_token"), data.secret("redis_password")
    async with open_data_dir(tmp_path / "a" / "b") as data:
        assert (data.secret("nats_token"), data.secret("redis_password")) == (nats, redis)
    assert nats != redis
    assert len(nats) >= 32
    assert (tmp_path / "a" / "b" / "secrets.json").stat().st_mode & 0o777 == 0o600


async def test_two_folders_have_different_secrets(tmp_path: Path) -> None:
    async with open_data_dir(tmp_path / "a") as one, open_data_dir(tmp_path / "b") as other:
        assert one.secret("nats_token") != other.secret("nats_token")


async def test_ports_are_remembered_next_to_those_of_other_servers(tmp_path: Path) -> None:
    async with open_data_dir(tmp_path) as data:
        assert data.remembered_port("nats") is None
        data.remember_ports({"nats": 1, "redis": 2})
        data.remember_ports({"redis": 3})
    async with open_data_dir(tmp_path) as data:
        assert (data.remembered_port("nats"), data.remembered_port("redis")) == (1, 3)


@pytest.mark.parametrize("ports", [[], {"nats": "1"}, {"nats": 70000}, {"nats": 0}])
async def test_a_remembered_port_that_is_none_is_forgotten(tmp_path: Path, ports: object) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"ports": ports}))
    async with open_data_dir(tmp_path) as data:
        assert data.remembered_port("nats") is None


@pytest.mark.parametrize(("text", "what"), [("{", "is not valid JSON"), ("[]", "does not hold a JSON object")])
async def test_a_broken_file_is_one_sentence(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    async with open_data_dir(tmp_path) as data:
        with pytest.raises(StartError, match=f"secrets.json {what}"):
            data.secret("nats_token")


async def test_a_secret_that_is_no_string_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"nats_token": 7}')
    async with open_data_dir(tmp_path) as data:
        with pytest.raises(StartError, match=r"secrets\.json: 'nats_token' is not a string"):
            data.secret("nats_token")


async def test_a_file_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"^--data-dir: .* cannot be used as data folder: .*file is not a folder$"):
        async with open_data_dir(tmp_path / "file" / "data"):
            pass


async def test_the_environment_is_told_only_while_it_runs_and_to_each_its_own(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"^nothing runs on .*: start it with tailslide up"):
        environment_of_running(tmp_path, "sidecar")
    async with open_data_dir(tmp_path) as data:
        with pytest.raises(StartError, match=r"is not ready yet"):
            environment_of_running(tmp_path, "sidecar")
        data.publish_environment({"sidecar": {"TAILSLIDE_NATS_URL": "nats://a"}, "admin": {"TAILSLIDE_API_TOKEN": "t"}})
        assert environment_of_running(tmp_path, "sidecar") == {"TAILSLIDE_NATS_URL": "nats://a"}
        assert environment_of_running(tmp_path, "admin") == {"TAILSLIDE_API_TOKEN": "t"}
        assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    # As after a kill -9, which leaves the file as it was.
    with pytest.raises(StartError, match=r"^nothing runs on "):
        environment_of_running(tmp_path, "sidecar")


async def test_locks_are_for_the_owner_alone_also_those_of_an_earlier_version(tmp_path: Path) -> None:
    for name in ("lock", "servers.lock"):
        (tmp_path / name).touch(mode=0o644)
        (tmp_path / name).chmod(0o644)
    async with open_data_dir(tmp_path):
        for name in ("lock", "servers.lock"):
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


async def test_a_folder_with_other_things_in_it_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(StartError, match=r"^--data-dir: .* holds other files \(thesis\.txt\) and no data of Tailslide"):
        async with open_data_dir(tmp_path):
            pass
    assert names_in(tmp_path) == {"thesis.txt"}


@pytest.mark.parametrize("name", ["lost+found", "state.json", "lock"])
async def test_a_fresh_file_system_and_a_folder_of_before_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    async with open_data_dir(tmp_path) as data:
        assert data.path == tmp_path


async def test_a_folder_that_others_may_write_to_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    async with open_data_dir(folder):
        assert folder.stat().st_mode & 0o022 == 0


async def test_a_private_file_takes_the_place_of_a_link_and_leaves_its_target(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("as it was")
    async with open_data_dir(tmp_path / "data") as data:
        folder = data.folder("nats")
        for name in ("nats.conf", "nats.conf.new"):
            (folder / name).symlink_to(target)
        data.write_private(folder / "nats.conf", "new")
        assert (folder / "nats.conf").read_text() == "new"
        assert not (folder / "nats.conf").is_symlink()
    assert target.read_text() == "as it was"


async def test_without_root_nothing_has_a_user_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailslide_embedded.data_dir.is_root", lambda: False)
    async with open_data_dir(tmp_path) as data:
        assert data.user("nats") is None
    assert names_in(tmp_path) == {"lock", "servers.lock"}


async def test_a_user_is_chosen_once_for_each_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailslide_embedded.data_dir.is_root", lambda: True)
    monkeypatch.setattr("tailslide_embedded.data_dir.check_way_of_root", lambda path: None)
    async with open_data_dir(tmp_path) as data:
        nats, redis = data.user("nats"), data.user("redis")
    async with open_data_dir(tmp_path) as data:
        assert (data.user("nats"), data.user("redis")) == (nats, redis)
        assert nats is not None
        # An account got this id since.
        monkeypatch.setattr("tailslide_embedded.data_dir.has_name", lambda number: number == nats.uid)
        assert data.user("nats") not in {nats, redis}
        assert data.user("redis") == redis


async def test_the_children_inherit_what_tells_of_them(tmp_path: Path) -> None:
    async with open_data_dir(tmp_path) as data:
        (descriptor,) = data.keep_open
        assert os.fstat(descriptor).st_ino == (tmp_path / "servers.lock").stat().st_ino


@pytest.mark.parametrize(("user", "folder"), [(0, "/var/lib/tailslide"), (1000, "/users/me/data/tailslide")])
def test_the_default_is_the_machines_for_root_and_the_users_for_others(
    monkeypatch: pytest.MonkeyPatch, user: int, folder: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "/users/me/data")
    assert default_data_dir() == Path(folder)


async def test_a_working_directory_that_was_removed_is_told_where_the_folder_is_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(StartError, match="the working directory was removed"):
        async with open_data_dir(Path("data")):
            pass
    with pytest.raises(StartError, match="the working directory was removed"):
        working_directory()
    async with open_data_dir(tmp_path / "data") as data:
        assert data.path == tmp_path / "data"
