"""A Python environment with Tailslide and nothing of a checkout: the wheel is installed as users install it.

What is installed besides is held to the versions of the lock file, so that a new release of a dependency is noticed
where the lock file is renewed, and not here.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from suite_install import without

CHECKOUT = Path(__file__).parents[2]
INSTALL_S = 400.0
NOT_COPIED = (".git", ".venv", "node_modules", "built", ".built-*", "dist", "__pycache__", ".*_cache", ".hypothesis")
_PIN = re.compile(r"^[\w.-]+==[^\\]+", re.MULTILINE)


def wheel_of_checkout(folder: Path) -> Path:
    """Make the wheel of a copy of this checkout in `folder`, without a dashboard: that takes npm and its registry."""
    copy = folder / "checkout"
    shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    command = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", folder, copy)
    done = _run(*command, environment={"TAILSLIDE_DASHBOARD": "skip"})
    assert done.returncode == 0, done.stdout
    (wheel,) = folder.glob("*.whl")
    return wheel


@dataclass(frozen=True)
class Installation:
    """An environment in `folder`, for the wheel that is or will be installed in it."""

    folder: Path
    wheel: Path

    @property
    def python(self) -> str:
        """Return the environment's Python."""
        return str(self.folder / "bin" / "python")

    def install(self, extra: str | None = None) -> None:
        """Install the wheel, with an extra; skip the test, or fail it in CI, where no index of packages is reached."""
        if not self.folder.exists():
            made = _run(sys.executable, "-m", "venv", "--without-pip", self.folder)
            assert made.returncode == 0, made.stdout
        constraints = self.folder / "constraints.txt"
        constraints.write_text("\n".join(_PIN.findall((CHECKOUT / "requirements.lock").read_text())))
        what = f"{self.wheel}{f'[{extra}]' if extra else ''}"
        done = _run(sys.executable, "-m", "pip", "--python", self.python, "install", "-c", constraints, what)
        if done.returncode != 0:
            without(f"pip could not install {what}: {done.stdout[-500:]}")

    def installed(self) -> set[str]:
        """Return the names of the packages that are installed besides Tailslide, as the lock file writes them."""
        folder = next((self.folder / "lib").glob("python3*/site-packages"))
        names = {path.name.partition("-")[0] for path in folder.glob("*.dist-info")}
        return {name.lower().replace("_", "-") for name in names} - {"tailslide-platform"}

    def tailslide(
        self, *words: str, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run the command of that environment to its end; both outputs are one."""
        return _run(self.python, "-P", "-m", "tailslide_embedded", *words, environment=environment)


def _run(*command: str | Path, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("TAILSLIDE_")}
    return subprocess.run(
        command,
        env={**kept, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
