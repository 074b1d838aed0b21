"""Each file of a deployment before its own validator. That they start, too, other tests show: `test_images`,
`test_compose` and `test_inherited_sockets`."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from compose_files import COMPOSE, SDK_KEY, loaded, loaded_in
from run_image import CHECKOUT, DOCKERFILE
from suite_install import without

from tailslide_core.sdk_keys import parse_sdk_key

SYSTEMD = CHECKOUT / "deploy" / "systemd"
UNITS = sorted(path.name for path in SYSTEMD.iterdir())
EXPOSURE = 20
"""Of 100, as `systemd-analyze security` counts it; a service without hardening has 96."""


def hadolint(dockerfile: Path) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).parent / "hadolint"
    if not program.exists():
        without("hadolint is not installed: it is of the extra `dev`, and there is one for Linux and macOS")
    return subprocess.run([program, "--no-color", dockerfile], capture_output=True, text=True, check=False)


def test_hadolint_has_nothing_to_say_about_the_dockerfile(tmp_path: Path) -> None:
    done = hadolint(DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")

    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.read_text().replace("USER 65532:65532", "RUN cd /tmp"))
    assert hadolint(worse).returncode != 0


def systemd_analyze(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("systemd-analyze")
    if program is None:
        without("systemd-analyze is not installed: apt-get install systemd")
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder with the units, for a program that exists."""
    for name in UNITS:
        text = (SYSTEMD / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/tailslide/bin/tailslide", "/bin/true"))
    return tmp_path


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_a_unit(units: Path, name: str) -> None:
    done = systemd_analyze("verify", "--man=no", units / name.replace("@.", "@shop."))
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_names_what_is_wrong_in_a_unit(units: Path) -> None:
    unit = units / "tailslide-tower.service"
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHme=yes"))
    assert "ProtectHme" in systemd_analyze("verify", "--man=no", unit).stderr


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_service_may_do_little(units: Path, name: str) -> None:
    unit = units / name.replace("@.", "@shop.")
    done = systemd_analyze("security", "--offline=true", f"--threshold={EXPOSURE}", unit)
    assert done.returncode == 0, done.stdout[-200:]


def test_socket_units_hand_over_what_the_sidecar_knows() -> None:
    from tailslide_sidecar.app import SOCKETS

    names = []
    for path in sorted(SYSTEMD.glob("*.socket")):
        unit = configparser.ConfigParser(interpolation=None)
        unit.read_string(path.read_text())
        names.append(unit["Socket"]["FileDescriptorName"])
        assert unit["Socket"]["Service"] == "tailslide-sidecar@%i.service"
    assert names == sorted(SOCKETS)


def test_compose_s_loader_reads_the_file() -> None:
    services = loaded()["services"]
    assert set(services) == {"nats", "redis", "postgres", "tower", "aerobat-1", "aerobat-2", "pod", "sample", "sidecar"}


def test_compose_s_loader_refuses_a_field_that_is_misspelt(tmp_path: Path) -> None:
    worse = tmp_path / "compose.yaml"
    worse.write_text(COMPOSE.read_text().replace("read_only:", "readonly:"))
    with pytest.raises(ValueError, match="readonly"):
        loaded(worse)


def test_compose_asks_for_the_sdk_key_by_name() -> None:
    with pytest.raises(ValueError, match="SDK_KEY"):
        loaded(environment={"COMPOSE_DISABLE_ENV_FILE": "true"})


def test_compose_finds_the_sdk_key_that_was_made(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SDK_KEY=of-before\nCOMPOSE_PROJECT_NAME=mine\n")
    services = loaded_in(tmp_path, environment={})["services"]
    key = services["tower"]["environment"]["TAILSLIDE_BOOTSTRAP_SDK_KEY"]
    assert parse_sdk_key(key).app == "shop"
    assert services["sidecar"]["environment"]["TAILSLIDE_SDK_KEY"] == key
    assert (tmp_path / ".env").read_text() == f"COMPOSE_PROJECT_NAME=mine\nSDK_KEY={key}\n"
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_compose_takes_the_sdk_key_of_the_command_before_that_of_the_file() -> None:
    assert loaded()["services"]["sidecar"]["environment"]["TAILSLIDE_SDK_KEY"] == SDK_KEY


def test_neither_the_sample_nor_its_sidecar_owns_the_network_that_they_share() -> None:
    services = loaded()["services"]
    assert {services[name]["network_mode"] for name in ("sample", "sidecar")} == {"service:pod"}
    assert services["pod"]["entrypoint"] == ["sleep", "infinity"]
    assert all("pod" in services[name]["depends_on"] for name in ("sample", "sidecar"))


def everyone() -> list[tuple[str, dict[str, Any]]]:
    return sorted(loaded()["services"].items())


def test_services_of_compose_are_confined_and_say_when_they_are_ready() -> None:
    for name, service in everyone():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name
        assert service["image"].rpartition(":")[2] not in {"", "latest"}, name
        # Of an image of ours it is the image's own.
        assert "healthcheck" in service or "build" in service or service["image"].startswith("tailslide-"), name
        needed = {other: each["condition"] for other, each in (service.get("depends_on") or {}).items()}
        # It has nothing to be healthy with.
        needed.pop("pod", None)
        assert set(needed.values()) <= {"service_healthy"}, name


def test_compose_publishes_on_loopback_alone() -> None:
    published = {name: service["ports"] for name, service in everyone() if "ports" in service}
    assert set(published) == {"tower", "pod"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_no_secret_is_in_the_file() -> None:
    told = {value for _, service in everyone() for value in (service.get("environment") or {}).values()}
    text = COMPOSE.read_text()
    secret = re.compile("p[A-Za-z0-9_-]{32}|SA[A-Z2-7]{56}|[A-Za-z0-9_-]{43}")
    found = {match for value in told for match in secret.findall(value)}
    assert len(found) > 6
    assert [each for each in found if each in text] == []
