"""Alert rules before Prometheus's own `promtool`: that it takes them, and that each fires as its scenes say."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from alert_scenes import RULES, SCENES
from observability_page import PAGE
from page_blocks import blocks
from suite_install import without

Promtool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def promtool() -> Promtool:
    """Return what runs promtool with some words."""
    program = shutil.which("promtool")
    if program is None:
        without("promtool is not installed: it is of Debian's package prometheus, see .ci/run")

    def run(*words: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of the rules, with their scenes beside them."""
    shutil.copytree(RULES.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_prometheus_takes_the_rules(promtool: Promtool) -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("scenes", SCENES, ids=lambda path: path.stem)
def test_alerts_fire_as_their_scenes_say(promtool: Promtool, scenes: Path) -> None:
    done = promtool("test", "rules", scenes)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("$labels.bucket", "$labels.buckets"),
        ("> 0 unless", "> 0 and"),
        ("tailslide_sidecar_ready ==", "tailslide_sidecar_raedy =="),
    ],
)
def test_scenes_find_a_rule_that_is_wrong(promtool: Promtool, copied: Path, right: str, wrong: str) -> None:
    rules = copied / RULES.name
    text = rules.read_text()
    assert right in text
    rules.write_text(text.replace(right, wrong))
    assert promtool("check", "rules", rules).returncode == 0
    assert promtool("test", "rules", copied / "tests" / "sidecars.yml").returncode != 0


def test_prometheus_takes_the_page_s_configuration(promtool: Promtool, copied: Path) -> None:
    authority = copied / "authority.pem"
    authority.touch()
    everything, tower = blocks(PAGE)["yaml"]
    written = tower.replace("/etc/prometheus/tailslide-ca.pem", str(authority))
    assert str(authority) in written
    (copied / "prometheus.yml").write_text(everything + written)
    done = promtool("check", "config", copied / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout
