"""The examples of docs/openfeature.md, as they stand there, against a real sidecar: Python, JavaScript, Java."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from example_flags import serve_examples
from ofrep_bench import OfrepSidecar
from ofrep_clients import APP
from page_blocks import blocks
from sidecar_bench import Bench, bench_on
from suite_install import node_app, without

from tailslide_embedded.stack import Endpoints

BLOCKS = {kind: found[-1] for kind, found in blocks(Path(__file__).parents[2] / "docs" / "openfeature.md").items()}
TOKEN = "a-token-of-some-length"
TOLD = ["new-checkout true TARGETING_MATCH", "button-color green"]
MAVEN_S = 240.0


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


async def told_by(sidecar: OfrepSidecar, *command: str | Path, folder: Path, token: str = "") -> list[str]:
    """Return the lines that an example prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OFREP_", "TAILSLIDE_"))}
    environment = {**kept, "TAILSLIDE_FLAGS_URL": sidecar.url, "TAILSLIDE_FLAGS_TOKEN": token}
    # The timeouts of the page are for sidecars that run already, not for a machine busy with tests.
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("True", "true").splitlines()


def patient(code: str) -> str:
    """Return an example with time enough for a machine that is busy with tests."""
    changed = re.sub(r"timeout=0\.05|timeoutMs: \d+|ofMillis\(500\)", _patient_one, code)
    assert changed != code
    return changed


def _patient_one(found: re.Match[str]) -> str:
    return {"timeout=0.05": "timeout=10", "ofMillis(500)": "ofMillis(10000)"}.get(found[0], "timeoutMs: 10000")


@pytest.mark.parametrize("token", ["", TOKEN])
async def test_the_example_for_python(bench: Bench, tmp_path: Path, token: str) -> None:
    sidecar = await serve_examples(bench, token or None)
    example = tmp_path / "example.py"
    example.write_text(patient(BLOCKS["python"]))

    assert await told_by(sidecar, sys.executable, example, folder=tmp_path, token=token) == TOLD


@pytest.mark.parametrize(("kind", "token"), [("server", ""), ("server", TOKEN), ("web", "")])
async def test_the_examples_for_javascript(bench: Bench, tmp_path: Path, kind: str, token: str) -> None:
    node = node_app(APP)
    sidecar = await serve_examples(bench, token or None)
    (tmp_path / "node_modules").symlink_to(APP / "node_modules")
    example = tmp_path / "example.mjs"
    example.write_text(patient(BLOCKS[f"javascript {kind}"]))

    assert await told_by(sidecar, node, example, folder=tmp_path, token=token) == TOLD


async def test_the_example_for_java(bench: Bench, tmp_path: Path) -> None:
    if shutil.which("mvn") is None or shutil.which("javac") is None:
        without("Maven and a JDK are not installed: apt-get install maven")
    (tmp_path / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>example</groupId>'
        f"<artifactId>example</artifactId><version>1</version><dependencies>{BLOCKS['xml']}</dependencies></project>"
    )
    fetch = ("mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={tmp_path}/lib")
    try:
        fetched = await asyncio.to_thread(
            subprocess.run, fetch, cwd=tmp_path, capture_output=True, text=True, timeout=MAVEN_S, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("Maven could not fetch the provider within four minutes")
    if fetched.returncode != 0:
        pytest.skip(f"Maven could not fetch the provider: {fetched.stdout.strip()[:200]}")
    sidecar = await serve_examples(bench)
    (tmp_path / "Example.java").write_text(patient(BLOCKS["java"]))

    assert await told_by(sidecar, "java", "-cp", "lib/*", "Example.java", folder=tmp_path) == TOLD
