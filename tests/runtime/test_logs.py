"""Logs are set up once for a whole process, so each test looks at a process of its own."""

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import logging, structlog
from tailslide_runtime import logs
logs.configure("example", logs.LogLevel("{level}"), logs.LogFormat("{form}"))
{code}
"""


def lines_of(code: str, level: str = "info", form: str = "json") -> list[str]:
    program = PROGRAM.format(level=level, form=form, code=code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "", "logs are no output"
    return done.stderr.splitlines()


@pytest.mark.parametrize("form", ["json", "auto"])
def test_a_line_is_a_json_object_where_there_is_no_terminal(form: str) -> None:
    [line] = lines_of("structlog.get_logger().info('flag changed', flag='new', version=3)", form=form)
    entry: dict[str, Any] = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"event": "flag changed", "flag": "new", "version": 3, "level": "info", "process": "example"}


def test_the_console_format_is_for_people() -> None:
    [line] = lines_of("structlog.get_logger().warning('bucket away', bucket='rulesets')", form="console")
    assert "bucket away" in line
    assert "bucket=rulesets" in line
    assert "\x1b" not in line, "colours are for terminals"


def test_less_severe_lines_are_left_out() -> None:
    code = "log = structlog.get_logger(); log.debug('a'); log.info('b'); log.warning('c'); log.error('d')"
    assert [json.loads(line)["event"] for line in lines_of(code, level="warning")] == ["c", "d"]
    assert [json.loads(line)["event"] for line in lines_of(code, level="debug")] == ["a", "b", "c", "d"]


def test_lines_of_libraries_look_the_same_and_only_warnings_pass() -> None:
    code = "logging.getLogger('library').info('quiet'); logging.getLogger('library').warning('loud %s', 5)"
    [line] = lines_of(code, level="debug")
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["process"]) == ("loud 5", "warning", "example")


def test_a_traceback_never_shows_the_variables() -> None:
    code = """
password = "hunter2"
def connect(password):
    try:
        raise RuntimeError("cannot connect")
    except RuntimeError:
        structlog.get_logger().exception("failed")
connect(password)
"""
    for form in ("json", "console"):
        text = "\n".join(lines_of(code, form=form))
        assert "cannot connect" in text
        assert "hunter2" not in text
