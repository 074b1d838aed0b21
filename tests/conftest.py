"""Rules for unit tests: no network, no sleep; and what hypothesis may do.

Servers and their fixtures are not here: see `integration/conftest.py`.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog
from hypothesis import HealthCheck, settings

UNIT_AREAS = {"core", "runtime", "sidecar", "tower", "aerobat", "embedded", "benchmarks"}
"""Folders of tests that run without the world around them."""

LONGEST_PAUSE_S = 0.01
"""Giving way to other tasks is no sleep; waiting for something to have happened is."""

TESTS = Path(__file__).parent

# Shared and busy machines: a slow example says nothing about the code.
settings.register_profile("tailslide", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("tailslide")


_configure_logs = structlog.configure


def _configure_logs_for_now(**options: Any) -> None:
    """Do not let loggers keep what one test sets up: they would hide lines from all later tests of this process."""
    _configure_logs(**{**options, "cache_logger_on_first_use": False})


vars(structlog)["configure"] = _configure_logs_for_now


def is_unit_test(path: Path) -> bool:
    """Whether a test file is in one of the areas of unit tests."""
    return path.is_relative_to(TESTS) and path.relative_to(TESTS).parts[0] in UNIT_AREAS


def refuse(what: str) -> NoReturn:
    """Fail the test by what no `except Exception` of the code under test can hide."""
    pytest.fail(f"a unit test {what}; move it to tests/integration")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Put back how lines are logged, which a test that runs one of our commands in this process has changed."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let unit tests connect and bind within the machine's file system only; event loops do so among themselves."""
    if not is_unit_test(request.path):
        return

    def guarded(method: Callable[..., Any], what: str) -> Callable[..., Any]:
        def call(self: socket.socket, address: Any) -> Any:
            return method(self, address) if self.family == socket.AF_UNIX else refuse(f"{what} {address}")

        return call

    def guarded_resolve(host: Any, *rest: Any, **options: Any) -> NoReturn:
        refuse(f"looks up {host}")

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect, "connects to"))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex, "connects to"))
    monkeypatch.setattr(socket.socket, "bind", guarded(socket.socket.bind, "listens on"))
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)


@pytest.fixture(autouse=True)
def _no_sleep(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_unit_test(request.path):
        return
    pause = asyncio.sleep

    def guarded_sleep(seconds: float) -> NoReturn:
        refuse(f"sleeps {seconds:g} s")

    async def guarded_pause(delay: float, result: Any = None) -> Any:
        if delay > LONGEST_PAUSE_S:
            refuse(f"sleeps {delay:g} s")
        return await pause(delay, result)

    monkeypatch.setattr(time, "sleep", guarded_sleep)
    monkeypatch.setattr(asyncio, "sleep", guarded_pause)
