"""Each thin client passes its own tests, and its package can be built: `make sdk-test`, `make sdk-package`."""

from pathlib import Path

import pytest
from client_packages import CLIENTS, VERSION, run_script

FOLDERS = sorted(script.parent.name for script in CLIENTS.glob("*/test.sh"))


@pytest.mark.parametrize("client", FOLDERS)
def test_client_passes_its_own_tests(client: str) -> None:
    run_script(CLIENTS / client / "test.sh")


@pytest.mark.parametrize("client", FOLDERS)
def test_package_is_built_with_the_version_of_all(client: str, tmp_path: Path) -> None:
    run_script(CLIENTS / client / "package.sh", tmp_path)
    built = [path.name for path in tmp_path.iterdir()]
    assert built
    assert all(VERSION in name for name in built), built
