"""Other people's test suites: found or installed as pinned, else the test is skipped with the reason, or fails in CI.

What the suites do is not here: see `suite_autobahn` and `suite_http_cache`.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import platformdirs
import pytest

NODE_MAJOR = 18
INSTALL_S = 240.0


@dataclass(frozen=True)
class Python2:
    """A Python 2.7, and the folder where the packages of one requirements file are installed for it."""

    program: str
    base: Path

    def environment(self) -> dict[str, str]:
        """Return the environment in which the program finds these packages, and none of Python 3."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {**kept, "PYTHONUSERBASE": str(self.base), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@functools.cache
def python2_with(requirements: Path) -> Python2:
    """Return Python 2.7 with what a requirements file pins, installed in the user's cache folder when it is not there.

    Without Python 2.7 the test is skipped, in CI too: today's systems have no package of it.
    """
    program = next(_python2_programs(), None)
    if program is None:
        pytest.skip("Python 2.7 is not installed: no python2.7 on PATH and none among pyenv's versions")
    key = hashlib.sha256(f"{sys.platform} {program} {requirements.read_text()}".encode()).hexdigest()[:16]
    base = platformdirs.user_cache_path("tailslide") / f"{requirements.parent.name}-suite-{key}"
    if not base.exists():
        _pip_install(program, requirements, base)
    return Python2(program, base)


def _python2_programs() -> Iterator[str]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    # The one on PATH may be a shim of pyenv that only says that no such version is chosen.
    for found in (shutil.which("python2.7"), *sorted(map(str, pyenv.glob("versions/2.7*/bin/python2.7")))):
        if found is not None:
            asked = _run(found, "-c", "import sys; sys.stdout.write(sys.executable)")
            if asked.returncode == 0:
                yield asked.stdout


def _pip_install(program: str, requirements: Path, base: Path) -> None:
    base.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="installing-", dir=base.parent) as folder:
        new = Python2(program, Path(folder) / "base")
        # Python 2.7 has no venv module; its folder of the user's own packages can be anywhere.
        flags = ("--user", "--ignore-installed", "--no-deps", "--require-hashes", "--no-warn-script-location")
        done = _run(program, "-m", "pip", "install", *flags, "-r", str(requirements), environment=new.environment())
        if done.returncode != 0:
            without(
                f"Installing {requirements.parent.name}/{requirements.name} for Python 2.7 has failed: {_why(done)}"
            )
        try:
            new.base.rename(base)
        except OSError:
            if not base.exists():  # another run may have been faster
                raise


@functools.cache
def node_app(folder: Path) -> str:
    """Return the path of Node.js, with what the lock file of `folder` pins installed in `folder`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        without(f"Node.js {NODE_MAJOR} or newer and npm are not installed: apt-get install nodejs npm")
    version = _run(node, "--version").stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < NODE_MAJOR:
        without(f"Node.js is {version}, {NODE_MAJOR} or newer is expected")
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        done = _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
        if done.returncode != 0:
            without(f"`npm ci` in tests/conformance/{folder.name} has failed: {_why(done)}")
    return node


def without(reason: str) -> NoReturn:
    """Skip the test for want of a tool, or fail it in CI."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(reason)


def _run(
    *command: str, folder: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=INSTALL_S
    )


def _why(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.splitlines()
    return next((line for line in lines if " error " in f" {line.lower()} ".replace(":", " ")), done.stderr[-200:])
