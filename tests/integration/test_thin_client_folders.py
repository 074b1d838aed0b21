"""Each thin client passes its own tests, and its package can be built: `make sdk-test`, `make sdk-package`."""

import subprocess
from pathlib import Path

import pytest
from suite_install import without

CLIENTS = Path(__file__).parents[2] / "sdk-thin"
FOLDERS = sorted(script.parent.name for script in CLIENTS.glob("*/test.sh"))
MISSING = 69
"""The exit status of a script whose language is not installed (EX_UNAVAILABLE of sysexits.h)."""
TIMEOUT_S = 100


def run(*command: str) -> str:
    """Return what a client's script says; skip where its language is missing."""
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    if ended.returncode == MISSING:
        without(ended.stderr.strip())
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    return said


@pytest.mark.parametrize("client", FOLDERS)
def test_client_passes_its_own_tests(client: str) -> None:
    run(str(CLIENTS / client / "test.sh"))


@pytest.mark.parametrize("client", FOLDERS)
def test_package_is_built_with_the_version_of_all(client: str, tmp_path: Path) -> None:
    run(str(CLIENTS / client / "package.sh"), str(tmp_path))
    version = (CLIENTS / "VERSION").read_text().strip()
    built = [path.name for path in tmp_path.iterdir()]
    assert built
    assert all(version in name for name in built), built
