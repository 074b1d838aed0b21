"""What each role pulls in: a base installation runs a sidecar and has nothing of the control plane."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest
from clean_install import CHECKOUT, Installation, wheel_of_checkout
from sidecar_bench import answer, bench_on, upstream

from tailslide_embedded.stack import Endpoints

PAGE = CHECKOUT / "docs" / "install.md"
NAME = re.compile(r"^[\w.-]+")
# What Python 3.11.3 and later do not need.
OLD_PYTHON = {"async-timeout"}

pytestmark = pytest.mark.timeout(600)


def listed(extra: str) -> set[str]:
    """Return what the page says that a role pulls in, by the heading of its list."""
    match = re.search(rf"^`{extra}`: (.*?)\n\n", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None
    return set(re.split(r",\s+", re.sub(r"\s+\(.*?\)", "", match.group(1))))


def of_extras(*extras: str) -> set[str]:
    """Return the packages that `pyproject.toml` itself names for these extras."""
    optional = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {match.group() for extra in extras for line in optional[extra] if (match := NAME.match(line)) is not None}
    return names - {"tailslide-platform"}


@pytest.fixture(scope="module")
def base() -> Iterator[Installation]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        installation = Installation(folder / "venv", wheel_of_checkout(folder))
        installation.install()
        yield installation


async def test_base_runs_a_sidecar_and_has_nothing_of_the_control_plane(base: Installation, servers: Endpoints) -> None:
    installed = base.installed()
    assert of_extras("tower", "aerobat", "embedded") & installed == set()
    assert installed - OLD_PYTHON == listed("base") - OLD_PYTHON

    async with bench_on(servers.nats_url, servers.redis_url) as bench, upstream(answer("new")) as feature:
        bench.program = (base.python, "-P", "-m", "tailslide_embedded", "sidecar", "--config")
        await bench.put(bench.ruleset())
        sidecar = await bench.start({"match": {"path_prefix": "/"}, **bench.route(feature, {"status": 503})})
        await sidecar.until_answers(active=True)
        user = {"x-user-id": "u1"}
        async with aiohttp.ClientSession(headers=user) as session, session.get(f"{sidecar.proxy}/") as proxied:
            assert (proxied.status, await proxied.text()) == (200, "new")
        await bench.until_counted(success=1)


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("tower",), "tower"),
        (("tower", "adopt", "--yes"), "tower"),
        (("admin-link",), "tower"),
        (("aerobat",), "aerobat"),
        (("up",), "embedded"),
        (("demo", "--help"), "embedded"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value,
)
def test_command_without_its_extra_says_in_one_sentence_what_to_install(
    base: Installation, words: tuple[str, ...], extra: str
) -> None:
    done = base.tailslide(*words)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"Error: tailslide [a-z -]+ needs \w+, which is not installed: "
        rf"pip install 'tailslide-platform\[{extra}\]'\n",
        done.stdout,
    )


def test_traces_without_their_extra_say_what_to_install(base: Installation, tmp_path: Path) -> None:
    flags = tmp_path / "flags.yaml"
    assert base.tailslide("init", str(tmp_path)).returncode == 0
    done = base.tailslide(
        *("sidecar", "--flags", str(flags)), environment={"TAILSLIDE_TRACES_URL": "http://127.0.0.1:4318"}
    )
    assert done.returncode == 1
    assert "Error: traces need opentelemetry, which is not installed: " in done.stdout
    assert "pip install 'tailslide-platform[tracing]'" in done.stdout


@pytest.mark.parametrize("words", ["tower", "aerobat", "up", "sidecar", "status", "env", "flags", "init"])
def test_every_command_that_is_not_run_explains_itself(base: Installation, words: str) -> None:
    done = base.tailslide(words, "--help")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"Usage: tailslide {words} ")


def test_an_extra_adds_what_the_page_lists_and_its_process_starts(base: Installation, tmp_path: Path) -> None:
    before = base.installed()
    one = Installation(tmp_path / "venv", base.wheel)
    shutil.copytree(base.folder, one.folder, symlinks=True)
    # Each process gets as far as its settings, which are read after everything is imported.
    one.install("tracing")
    assert one.installed() - before - OLD_PYTHON == listed("tracing")
    before = one.installed()
    for extra, variable in (("aerobat", "TAILSLIDE_NATS_URL"), ("tower", "TAILSLIDE_DATABASE_URL")):
        one.install(extra)
        assert one.installed() - before - OLD_PYTHON == listed(extra) - {"opentelemetry-api"}
        said = one.tailslide(extra, environment={variable: "nowhere"})
        assert said.returncode == 1
        assert said.stdout.startswith(f"Error: {variable}: "), said.stdout
