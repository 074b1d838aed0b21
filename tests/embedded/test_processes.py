from pathlib import Path

import pytest

from tailslide_embedded.processes import Child, Exit, ProcessSpec, log_tail


def test_the_tail_of_a_log_is_its_last_ten_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}  \n" for number in range(1000)))
    assert log_tail(log).splitlines() == [f"line {number}" for number in range(990, 1000)]


def test_a_log_may_be_missing_empty_or_not_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert log_tail(log) == ""
    log.write_bytes(b"")
    assert log_tail(log) == ""
    log.write_bytes(b"\xff\xfe broken\n")
    assert log_tail(log).endswith("broken")


@pytest.mark.parametrize(("status", "words"), [(3, "exit status 3"), (-9, "killed by SIGKILL")])
def test_an_exit_tells_the_name_the_cause_and_the_log(status: int, words: str) -> None:
    assert str(Exit("NATS", status, "")) == f"NATS ended unexpectedly: {words}"
    assert str(Exit("NATS", status, "a\nb")) == f"NATS ended unexpectedly: {words}; its log ends with\n    a\n    b"


async def test_a_child_that_was_not_started_can_be_stopped_and_not_waited_for(tmp_path: Path) -> None:
    async def ready() -> None:
        raise AssertionError("not asked before the start")

    child = Child(
        ProcessSpec(
            name="NATS", argv=("nats",), env={}, cwd=tmp_path, log=tmp_path / "log", address="127.0.0.1:1", ready=ready
        )
    )
    await child.stop()
    assert child.pid is None
    with pytest.raises(RuntimeError, match="NATS was not started"):
        await child.wait()
