import json
import os
from pathlib import Path

import pytest

from tailslide_embedded.data_dir import default_data_dir, environment_of_running, open_data_dir
from tailslide_runtime.errors import StartError


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


async def test_the_environment_is_told_only_while_it_runs(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"^nothing runs on .*: start it with tailslide up"):
        environment_of_running(tmp_path)
    async with open_data_dir(tmp_path) as data:
        with pytest.raises(StartError, match=r"is not ready yet"):
            environment_of_running(tmp_path)
        data.publish_environment({"TAILSLIDE_NATS_URL": "nats://a"})
        assert environment_of_running(tmp_path) == {"TAILSLIDE_NATS_URL": "nats://a"}
        assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    # As after a kill -9, which leaves the file as it was.
    with pytest.raises(StartError, match=r"^nothing runs on "):
        environment_of_running(tmp_path)


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
