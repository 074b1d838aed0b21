"""What the dashboard's keys page offers to paste works: commands, configuration, and programs in all languages.

The snippets are those that the dashboard makes. The programs' clients are installed by the commands beside them, in a
folder that has a checkout of Tailslide as its neighbour, with no registry at hand.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import yaml
from client_packages import LANGUAGES, ROOT, VERSION, Installed, Java, Packages, Python
from client_programs import patient, program
from dashboard_node import UnavailableError, find_node
from ofrep_bench import OfrepSidecar, put_all, serve
from ofrep_clients import APP
from sidecar_bench import Bench, bench_on
from suite_install import node_app, without

from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.stack import Endpoints
from tailslide_sidecar.config_file import read_config_file

SNIPPETS = ROOT / "tower" / "dashboard" / "src" / "features" / "keys"
FLAG = "pay"
DEFAULT_URL = "http://127.0.0.1:4141"
TITLES = {"python": "Python", "javascript": "JavaScript", "go": "Go", "ruby": "Ruby", "java": "Java", "csharp": "C#"}
Snippets = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def all_snippets() -> dict[str, Snippets]:
    try:
        node = find_node()
    except UnavailableError as error:
        without(f"no Node.js for the dashboard: {error}")
    # This Node.js leaves types out by itself.
    command = (node.program, "--disable-warning=ExperimentalWarning", ROOT / "tests" / "support" / "keys_page.mjs")
    made = subprocess.run(
        (*command, SNIPPETS, "shop", "tsk.shop.v9svt7s1.secret", FLAG), check=True, capture_output=True, text=True
    )
    return {kind: {one["name"]: one for one in found} for kind, found in json.loads(made.stdout).items()}


@pytest.fixture
def run_snippets(all_snippets: dict[str, Snippets]) -> Snippets:
    return all_snippets["run"]


@pytest.fixture
def ask_snippets(all_snippets: dict[str, Snippets]) -> Snippets:
    return all_snippets["ask"]


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


async def serving(bench: Bench) -> OfrepSidecar:
    """Run a sidecar with the flag on for everybody."""
    flag = Ruleset(bench.app, FLAG, 1, active=True, rollout=100.0, salt=FLAG, circuit=CircuitSettings())
    await put_all(bench, [flag], {})
    return await serve(bench, any_free_port())


def installed_as_told(language: str, commands: str, folder: Path) -> Installed:
    """Return a language in an application's folder, where these commands have been carried out."""
    (folder / "tailslide").symlink_to(ROOT)
    application = LANGUAGES[language](folder / "application")
    environment = {"TAILSLIDE_PYTHON": sys.executable, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if isinstance(application, Python):
        application.run(sys.executable, "-m", "venv", "env")
        environment["PATH"] = f"{application.python.parent}{os.pathsep}{os.environ['PATH']}"
    elif language == "go":
        application.run("go", "mod", "init", "example")
        environment["GOPROXY"] = "off"
    application.run("sh", "-euc", commands, **environment)
    if isinstance(application, Java):
        application.jar = application.folder / "lib" / f"tailslide-client-{VERSION}.jar"
    return application


def whole(language: str, code: str) -> str:
    """Return a program that has the time it needs; C# is put into the class that its newer versions do without."""
    return program(language, [code]) if language == "csharp" else patient(language, code)


@pytest.mark.parametrize("language", TITLES)
async def test_client_is_installed_as_told_and_asks_and_reports(
    language: str, bench: Bench, ask_snippets: Snippets, packages: Packages, tmp_path: Path
) -> None:
    snippet = ask_snippets[TITLES[language]]
    if language == "csharp" and shutil.which("dotnet") is None:
        # Mono cannot carry out what is told for .NET; the project that it names has to be there.
        assert (ROOT / snippet["install"].partition("../tailslide/")[2]).is_file()
        installed = packages.install(language, tmp_path / "application")
    else:
        installed = await asyncio.to_thread(installed_as_told, language, snippet["install"], tmp_path)
    command = await asyncio.to_thread(installed.prepare, whole(language, snippet["code"]))
    sidecar = await serving(bench)
    said = await asyncio.to_thread(installed.run, *command, TAILSLIDE_FLAGS_URL=sidecar.url)

    assert said.split()[:2] == ["new", "path"]
    await bench.until_counted(FLAG, success=1)


async def test_go_is_formatted(ask_snippets: Snippets) -> None:
    if shutil.which("gofmt") is None:
        without("gofmt is not installed")
    code = ask_snippets["Go"]["code"]
    formatted = await asyncio.to_thread(
        subprocess.run, ("gofmt",), input=code, check=True, capture_output=True, text=True
    )
    assert formatted.stdout == code


def curl(code: str, folder: Path) -> list[str | Path]:
    return ["sh", "-euc", code]


def openfeature_python(code: str, folder: Path) -> list[str | Path]:
    (folder / "example.py").write_text(code)
    return [sys.executable, "example.py"]


def openfeature_javascript(code: str, folder: Path) -> list[str | Path]:
    node = node_app(APP)
    (folder / "node_modules").symlink_to(APP / "node_modules")
    (folder / "example.mjs").write_text(code)
    return [node, "example.mjs"]


@pytest.mark.parametrize(
    ("name", "command_of", "told"),
    [
        ("curl", curl, '"active":true'),
        ("OpenFeature (Python)", openfeature_python, "True"),
        ("OpenFeature (JavaScript)", openfeature_javascript, "true"),
    ],
)
async def test_flag_is_asked_without_a_client(
    name: str,
    command_of: Callable[[str, Path], list[str | Path]],
    told: str,
    bench: Bench,
    ask_snippets: Snippets,
    tmp_path: Path,
) -> None:
    sidecar = await serving(bench)
    code = ask_snippets[name]["code"].replace(DEFAULT_URL, sidecar.url)
    command = await asyncio.to_thread(command_of, code, tmp_path)
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    assert told in done.stdout


def test_configuration_of_the_sidecar_is_taken(run_snippets: Snippets, tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(run_snippets["sidecar.yaml"]["code"])
    config = read_config_file(file)

    assert config.app == "shop"
    assert len(config.routes) == 2


@pytest.mark.parametrize("name", ["Docker Compose", "Kubernetes"])
def test_manifests_are_yaml(name: str, run_snippets: Snippets) -> None:
    documents = list(yaml.safe_load_all(run_snippets[name]["code"]))
    assert all(isinstance(document, dict) for document in documents)


def test_commands_of_the_shell_are_commands(run_snippets: Snippets) -> None:
    subprocess.run(("sh", "-n"), input=run_snippets["Shell"]["code"], text=True, check=True)
