"""The home folder of an ordinary user, with a copy of this checkout in it: where a new user begins.

Tests that run as root add an account, and remove it at the end; others are an ordinary user already.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from clean_install import CHECKOUT, NOT_COPIED
from shell import Shell
from suite_install import without

_CHECK = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
_PASSED_ON = ("PIP_", "SSL_CERT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""How this machine reaches its index of packages."""


@dataclass(frozen=True)
class OrdinaryUser:
    """`name` is None where it is us."""

    name: str | None
    home: Path

    @property
    def checkout(self) -> Path:
        """Return the copy of the checkout, as after `git clone`."""
        return self.home / "checkout"

    async def shell(self, **environment: str) -> Shell:
        """Start a shell in the checkout, with the environment of somebody who has just logged in."""
        passed_on = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        mine = {"HOME": str(self.home), "PATH": self._path()}
        return await Shell.start({**passed_on, **mine, **environment}, str(self.checkout), self.name)

    def _path(self) -> str:
        return os.environ["PATH"] if self.name is None else "/usr/local/bin:/usr/bin:/bin"

    def check_python(self) -> None:
        """Skip the test, or fail it in CI, if this user has no Python with which the page could begin."""
        done = subprocess.run(
            ["python3", "-c", _CHECK],
            env={"PATH": self._path()},
            user=self.name,
            cwd="/",
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            without("an ordinary user has no python3 of 3.11 or newer with venv: apt-get install python3-venv")


@contextmanager
def ordinary_user() -> Iterator[OrdinaryUser]:
    """Yield one, and remove what was made."""
    if os.geteuid() == 0 and shutil.which("useradd") is None:
        pytest.skip("these tests run as root, and no useradd is there to make an ordinary user with")
    folder = Path(tempfile.mkdtemp(prefix="tailslide-user-"))
    name = f"tailslide-{os.getpid()}" if os.geteuid() == 0 else None
    user = OrdinaryUser(name, folder / "home")
    try:
        if name is not None:
            folder.chmod(0o711)
            command = ("useradd", "--no-log-init", "--user-group", "--create-home", "--home-dir", str(user.home), name)
            subprocess.run(command, check=True)
        else:
            user.home.mkdir()
        shutil.copytree(CHECKOUT, user.checkout, ignore=shutil.ignore_patterns(*NOT_COPIED))
        if name is not None:
            for path in (user.checkout, *user.checkout.rglob("*")):
                shutil.chown(path, name, name)
        user.check_python()
        yield user
    finally:
        if name is not None:
            subprocess.run(["userdel", name], check=False)
        shutil.rmtree(folder)
