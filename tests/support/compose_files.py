"""The compose file as compose itself reads it: with its loader, compose-go, in a Go program that is built here."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite_install import without

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
COMPOSE = FOLDER / "compose.yaml"
MAKE_SECRETS = FOLDER / "make_secrets.py"
SDK_KEY = f"tsk.shop.k1a2b3c4.{'s' * 43}"
_SOURCE = Path(__file__).parent / "compose_check"
_BUILD_S = 240.0


@functools.cache
def program() -> Path:
    """Return the program, built of the modules that its go.sum pins; skip the test, or fail it in CI, without Go."""
    go = shutil.which("go")
    if go is None:
        without("Go is not installed: apt-get install golang-go")
    folder = Path(tempfile.mkdtemp(prefix="tailslide-compose-check-"))
    built = folder / "compose_check"
    done = subprocess.run(
        [go, "build", "-mod=readonly", "-o", built, "."],
        cwd=_SOURCE,
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if done.returncode != 0:
        without(f"compose-go could not be built: {done.stderr[-500:]}")
    return built


def made_secrets(folder: Path) -> None:
    """Let the script make new secrets in `folder`."""
    subprocess.run([sys.executable, MAKE_SECRETS, folder], check=True, capture_output=True)


def loaded(file: Path = COMPOSE, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the project as compose would start it, with new secrets; raise `ValueError` for what it refuses."""
    with tempfile.TemporaryDirectory(prefix="tailslide-compose-") as folder:
        return loaded_in(Path(folder), file, environment)


def loaded_in(folder: Path, file: Path = COMPOSE, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return likewise a project whose files are copied to a folder, where its secrets stay."""
    for path in FOLDER.iterdir():
        # Not somebody's own key.
        if path.is_file() and path.name != ".env":
            shutil.copy2(path, folder)
    shutil.copyfile(file, folder / "compose.yaml")
    made_secrets(folder / "secrets")
    done = subprocess.run(
        [program(), folder / "compose.yaml"],
        env={"PATH": os.environ["PATH"], **({"SDK_KEY": SDK_KEY} if environment is None else environment)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ValueError(done.stderr)
    project: dict[str, Any] = json.loads(done.stdout)
    return project
