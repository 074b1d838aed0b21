"""The images, made by the steps of the Dockerfile in a Debian root, and run as they are meant to run: not as root, on a
root file system that cannot be written to. No container engine takes part; see `run_image`."""

import json
import os
import shutil
import signal
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from deployed import until_healthy
from dockerfile import config_of, read_stages
from real_servers import RealServers
from run_image import CHECKOUT, DOCKERFILE, TARGETS, in_namespace
from suite_install import without

from tailslide_embedded.addresses import LOOPBACK, any_free_port

BUILD_S = 540
STAGES = read_stages(DOCKERFILE.read_text())
pytestmark = pytest.mark.timeout(BUILD_S + 60)


@pytest.fixture(scope="module")
def images() -> Iterator[Path]:
    """Make all images."""
    if os.geteuid() != 0:
        pytest.skip("The images' steps run in a root of their own, which takes root")
    missing = [name for name in ("debootstrap", "unshare", "setpriv") if shutil.which(name) is None]
    if missing:
        without(f"{', '.join(missing)} is missing: apt-get install debootstrap util-linux")
    mounting = ("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt")
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        without("This machine lets nobody mount anything: the images' steps cannot run in a root of their own")
    with TemporaryDirectory(prefix="tailslide-images-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (folder / "log").open("w") as log:
            command = in_namespace("build", folder)
            done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=BUILD_S, check=False)
        assert done.returncode == 0, (folder / "log").read_text()[-4000:]
        yield folder


@dataclass
class Running:
    """A process in an image, and what it has said once it has ended."""

    process: "subprocess.Popen[str]"
    port: int

    def status(self) -> dict[str, str]:
        """Return what the kernel says of the process."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def run(images: Path, target: str, *command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in an image to its end."""
    words = in_namespace("run", images, target, *command)
    return subprocess.run(words, env=environment(settings), capture_output=True, text=True, timeout=30, check=False)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
    return {**kept, **settings}


@contextmanager
def started(images: Path, target: str, settings: Mapping[str, str], listen: str) -> Iterator[Running]:
    """Start an image's process, with the image's command, on a free port that the variable `listen` names."""
    config = config_of(STAGES, target)
    port = any_free_port()
    process = subprocess.Popen(
        in_namespace("run", images, target, *config.entrypoint, *config.command),
        env=environment({**settings, listen: f"{LOOPBACK}:{port}"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Running(process, port)
    finally:
        process.kill()
        process.communicate()


def health_of(target: str, port: int) -> list[str]:
    """Return the image's health check, for another port."""
    *words, address = config_of(STAGES, target).health
    return [*words, f"{address.rpartition(':')[0]}:{port}"]


def settings_of(target: str, servers: RealServers) -> tuple[dict[str, str], str]:
    """Return the settings that a process needs, and the variable of its listener that answers health checks."""
    endpoints = servers.endpoints
    shared = {"TAILSLIDE_NATS_URL": endpoints.nats_url, "TAILSLIDE_REDIS_URL": endpoints.redis_url}
    if target == "sidecar":
        proxy = {"TAILSLIDE_PROXY_LISTEN": f"{LOOPBACK}:0", "TAILSLIDE_APP": "shop"}
        return {**shared, **proxy}, "TAILSLIDE_FLAGS_LISTEN"
    if target == "aerobat":
        return shared, "TAILSLIDE_AEROBAT_LISTEN"
    return {**shared, "TAILSLIDE_DATABASE_URL": endpoints.database_url}, "TAILSLIDE_TOWER_LISTEN"


def test_each_image_s_process_gets_ready_without_root_on_a_root_that_is_read_only(
    images: Path, own_servers: RealServers
) -> None:
    # Tower first: it makes the buckets that the others wait for.
    for target in ("tower", "aerobat", "sidecar"):
        settings, listen = settings_of(target, own_servers)
        with started(images, target, settings, listen) as running:
            health = health_of(target, running.port)
            until_healthy(lambda health=health, target=target: run(images, target, *health), running.process)  # type: ignore[misc]

            status = running.status()
            assert status["Uid"].split() == ["65532"] * 4
            assert status["Gid"].split() == ["65532"] * 4
            assert (status["NoNewPrivs"], int(status["CapEff"], 16), int(status["CapBnd"], 16)) == ("1", 0, 0)

            running.process.send_signal(getattr(signal, config_of(STAGES, target).stop_signal))
            said, _ = running.process.communicate(timeout=30)
            assert running.process.returncode == 0, said


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_cannot_be_written_to_and_has_no_tools(images: Path, target: str) -> None:
    written = run(images, target, "sh", "-c", "touch /opt/tailslide/x || touch /var/lib/tailslide/x")
    assert written.returncode != 0
    assert written.stderr.count("Read-only file system") == 2
    for word in ("curl", "wget", "gcc", "pip", "git", "npm"):
        found = run(images, target, "sh", "-c", f"command -v {word}")
        assert (found.returncode, found.stdout) != (0, ""), word
    # Compiled at the build, since the process could not keep it.
    compiled = run(images, target, "find", "/opt/tailslide", "-name", "cli.*.pyc")
    assert "tailslide_embedded" in compiled.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_only_its_role_in_the_versions_of_the_lock_file(images: Path, target: str) -> None:
    listing = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    found = json.loads(run(images, target, "python", "-c", listing).stdout)
    found = {name.lower().replace("_", "-"): version for name, version in found.items()}
    assert found.pop("tailslide-platform") == project_version()
    lock = (CHECKOUT / "requirements.lock").read_text().splitlines()
    assert [
        name for name, version in found.items() if not any(f"{name}=={version} " in f"{line} " for line in lock)
    ] == []
    assert ("sqlalchemy" in found, "nkeys" in found) == (target == "tower", target != "sidecar")


def test_a_health_check_fails_where_nothing_answers(images: Path) -> None:
    for target in TARGETS:
        done = run(images, target, *health_of(target, any_free_port()))
        assert done.returncode == 1
        assert "does not answer" in done.stderr


def test_tower_s_image_has_the_dashboard(images: Path, own_servers: RealServers) -> None:
    built = "import tailslide_tower.dashboard.built as b; d = b.read_built(); print(d.missing, 'index.html' in d.files)"
    assert run(images, "tower", "python", "-c", built).stdout == "None True\n"


def project_version() -> str:
    return str(tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"])


@pytest.mark.parametrize("target", TARGETS)
def test_labels_of_an_image_say_what_it_is(target: str) -> None:
    labels = config_of(STAGES, target).labels
    assert labels["org.opencontainers.image.version"] == project_version()
    assert target in labels["org.opencontainers.image.title"].lower()
    assert {"description", "licenses", "revision"} <= {name.rpartition(".")[2] for name in labels}
