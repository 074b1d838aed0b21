import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tailslide_embedded import wheels
from tailslide_runtime.errors import StartError


def test_the_installed_programs_are_found() -> None:
    assert wheels.nats_server().name == "nats-server"
    assert wheels.redis().timeseries.name == "redistimeseries.so"
    assert (wheels.postgres().install / "bin" / "initdb").is_file()


@pytest.mark.parametrize(
    ("find", "setting"),
    [
        (wheels.nats_server, "TAILSLIDE_NATS_URL"),
        (wheels.redis, "TAILSLIDE_REDIS_URL"),
        (wheels.postgres, "TAILSLIDE_DATABASE_URL"),
    ],
)
def test_a_missing_wheel_is_one_sentence_that_names_the_extra_and_the_setting(
    find: Callable[[], object], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> NoReturn:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        StartError, match=rf"'tailslide-platform\[embedded\]', or set {setting} to the URL of "
    ) as error:
        find()
    assert "\n" not in str(error.value)


def test_a_wheel_without_its_program_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "_package", lambda name: tmp_path)
    with pytest.raises(StartError, match="no PostgreSQL server is installed"):
        wheels.postgres()
    with pytest.raises(StartError, match="no Redis server is installed"):
        wheels.redis()
