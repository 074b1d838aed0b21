"""Waiting for processes as their deployments do: by their own health checks."""

import subprocess
import time
from collections.abc import Callable

READY_S = 60.0
_PAUSE_S = 0.2


def until_healthy(
    check: Callable[[], "subprocess.CompletedProcess[str]"], process: "subprocess.Popen[str]", within_s: float = READY_S
) -> None:
    """Run a health check until it succeeds; fail once the process has ended, or after `within_s` seconds."""
    until_s = time.monotonic() + within_s
    while (done := check()).returncode != 0:
        assert process.poll() is None, f"ended with {process.returncode}: {process.communicate()}"
        assert time.monotonic() < until_s, f"is not healthy: {done.stdout}{done.stderr}"
        time.sleep(_PAUSE_S)
