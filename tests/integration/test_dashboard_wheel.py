"""The dashboard in the wheel that `pip` makes: of a checkout where no Node.js is installed, of an sdist without npm."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest
from suite_install import without

from tailslide_tower.dashboard.built import BuiltDashboard, read_built

CHECKOUT = Path(__file__).parents[2]
NOT_COPIED = (".git", ".venv", "node_modules", "built", ".built-*", "dist", "__pycache__", ".*_cache", ".hypothesis")
PACKAGE = "tailslide_tower/dashboard/built"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder for PATH: a shell, which npm starts scripts with, and no Node.js."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("sh", "env"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def pip_wheel(source: Path, folder: Path, programs: Path, **environment: str) -> tuple[Path, str]:
    """Make a wheel of what `source` is, in an environment of pip's own; return the unpacked wheel and pip's words."""
    kept = {
        name: value for name, value in os.environ.items() if name not in {"CI", "TAILSLIDE_DASHBOARD", "PYTHONPATH"}
    }
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "--no-cache-dir", "-w", folder, source],
        env=kept | {"PATH": str(programs), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as file:
        file.extractall(folder / "unpacked")
    return folder / "unpacked", done.stdout


def assert_whole(built: BuiltDashboard) -> None:
    """Check that the page is there, and everything that it names, also compressed."""
    assert built.missing is None
    named = re.findall(rb'(?:src|href)="/([^"]+)"', built.files["index.html"].plain)
    assert any(name.endswith(b".js") for name in named)
    for name in named:
        file = built.files[name.decode()]
        assert len(file.plain) < 1000 or set(file.coded) == {"br", "gzip"}, name
    assert not any(name.endswith((".map", ".br", ".gz")) for name in built.files)


@pytest.mark.timeout(600)
def test_wheel_of_a_checkout_has_the_dashboard_and_so_has_that_of_its_sdist(tmp_path: Path, programs: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(CHECKOUT, checkout, ignore=shutil.ignore_patterns(*NOT_COPIED))
    wheel, said = pip_wheel(checkout, tmp_path / "first", programs)
    built = read_built(wheel / PACKAGE)
    if built.missing is not None and "npm registry" in built.missing:
        without(built.missing)
    assert_whole(built)

    # The checkout has the dashboard now, so that its sdist has; a wheel of that asks neither npm nor for Node.js.
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist"], cwd=checkout, check=True, timeout=120)
    (archive,) = (checkout / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = file.getnames()
    assert not any("node_modules" in name or "/.built-" in name for name in names)
    again, said = pip_wheel(archive, tmp_path / "second", programs, npm_config_registry="http://127.0.0.1:9")
    assert read_built(again / PACKAGE).files == built.files
    assert "nodejs" not in said


@pytest.mark.timeout(300)
def test_wheel_without_a_registry_says_why_it_has_no_dashboard(tmp_path: Path, programs: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(CHECKOUT, checkout, ignore=shutil.ignore_patterns(*NOT_COPIED))
    unreachable = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(tmp_path / "cache")}
    wheel, said = pip_wheel(checkout, tmp_path / "wheel", programs, **unreachable)
    reason = read_built(wheel / PACKAGE).missing
    assert reason == "the npm registry could not be reached (ECONNREFUSED)"
    assert f"Tower has no dashboard, because {reason}." in said
