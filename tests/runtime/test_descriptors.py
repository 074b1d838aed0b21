"""How many descriptors there are."""

import resource
from pathlib import Path

import pytest

from tailslide_runtime import descriptors


def test_the_soft_limit_is_raised_to_the_hard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    assert descriptors.raise_limit() == 4096
    assert asked == [(4096, 4096)]


def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int, limits: tuple[int, int]) -> None:
        raise ValueError(limits)

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert descriptors.raise_limit() == 1024


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells")
def test_an_open_file_is_counted(tmp_path: Path) -> None:
    before = descriptors.open_count()
    with (tmp_path / "file").open("w"):
        during = descriptors.open_count()
    assert before is not None
    assert during == before + 1


def test_each_client_takes_two_and_some_are_kept_back() -> None:
    assert descriptors.connections_for(1024) == 448
    assert descriptors.connections_for(64) == 1


def test_a_listener_beside_the_proxy_has_at_most_a_quarter() -> None:
    assert descriptors.beside_others(1_048_576, 1_000) == 1_000
    assert descriptors.beside_others(1_024, 1_000) == 224
    assert descriptors.beside_others(64, 1_000) == 1
