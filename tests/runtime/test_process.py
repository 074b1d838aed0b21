import asyncio
import os
import signal

import pytest

from tailslide_runtime import process
from tailslide_runtime.errors import StartError


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_order_with_status_0(number: int) -> None:
    steps: list[str] = []

    async def main(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), number)
        await stop.wait()
        steps.append("stopped in order")

    assert process.run(main) == 0
    assert steps == ["stopped in order"]


@pytest.mark.parametrize(
    ("numbers", "at_once"),
    [
        ([signal.SIGTERM], False),
        ([signal.SIGINT], True),
        ([signal.SIGTERM, signal.SIGTERM], True),
        ([signal.SIGTERM, signal.SIGINT], True),
    ],
)
def test_sigint_and_a_second_signal_wait_for_nobody(numbers: list[int], at_once: bool) -> None:
    seen: list[bool] = []

    async def main(stop: process.Stop) -> None:
        for number in numbers:
            os.kill(os.getpid(), number)
        await (stop.at_once.wait() if at_once else stop.wait())
        seen.append(stop.at_once.is_set())

    assert process.run(main) == 0
    assert seen == [at_once]


def test_an_end_without_a_signal_is_status_0() -> None:
    async def main(stop: asyncio.Event) -> None:
        assert not stop.is_set()

    assert process.run(main) == 0


def test_an_error_at_the_start_is_one_sentence_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    async def main(stop: asyncio.Event) -> None:
        raise StartError("TAILSLIDE_TOWER_LISTEN: 127.0.0.1:4142 is in use")

    assert process.run(main) == 1
    assert capsys.readouterr().err == "Error: TAILSLIDE_TOWER_LISTEN: 127.0.0.1:4142 is in use\n"


def test_errors_out_of_task_groups_are_a_sentence_each(capsys: pytest.CaptureFixture[str]) -> None:
    async def fail(text: str) -> None:
        raise StartError(text)

    async def main(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(fail("one"))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(fail("two"))

    assert process.run(main) == 1
    assert sorted(capsys.readouterr().err.splitlines()) == ["Error: one", "Error: two"]


def test_a_defect_keeps_its_traceback() -> None:
    async def main(stop: asyncio.Event) -> None:
        raise ZeroDivisionError("a defect")

    with pytest.raises(BaseException) as caught:  # alone or in a group, it must come out
        process.run(main)
    group = caught.value
    assert isinstance(group, ZeroDivisionError) or (
        isinstance(group, BaseExceptionGroup) and group.subgroup(ZeroDivisionError) is not None
    )


def test_settings_that_cannot_be_loaded_are_a_sentence_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    def load() -> process.Logged:
        raise StartError("TAILSLIDE_LOG_LEVEL: expected debug, info, warning or error")

    async def main(settings: process.Logged, stop: asyncio.Event) -> None:
        raise AssertionError("nothing runs without settings")

    assert process.start("example", load, main) == 1
    assert capsys.readouterr().err == "Error: TAILSLIDE_LOG_LEVEL: expected debug, info, warning or error\n"
