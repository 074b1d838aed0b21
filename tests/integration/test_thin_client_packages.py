"""Packages of the thin clients, installed from the built file where there is nothing else, and used.

The programs are the examples of the clients' own READMEs, word for word, against a real sidecar: the answers and the
outcomes have to arrive. So each example there makes a client, asks `new-checkout` and `button-color`, and reports two
guarded successes and a failure. The pages of docs are in `test_thin_client_pages`.
"""

import asyncio
import re
import sys
import tarfile
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from client_packages import CLIENTS, LANGUAGES, ROOT, Installed, Packages, Python, only
from client_programs import program
from example_flags import CHECKOUT, serve_examples
from page_blocks import blocks
from sidecar_bench import Bench, bench_on
from suite_install import without

from tailslide_embedded.stack import Endpoints

GUARDED_TWICE: Mapping[str, str] = {"python": "new_checkout(cart)"}
"""Where the README's second guard is a decorator, what calls the function that it decorates."""


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


DASHBOARD_MODULES = ROOT / "tower" / "dashboard" / "node_modules"
"""Where a TypeScript and the types of Node.js are."""
TYPED_SURROUNDINGS = """
type Order = { rejected: boolean };
type Cart = string[];
declare const cart: Cart;
declare function newCheckout(cart?: Cart): Promise<Order>;
declare function oldCheckout(cart?: Cart): Promise<Order>;
declare class EmptyCart extends Error {}
"""
ILL_TYPED = {
    "key": ('"user-42"', "42"),
    "method": ("isActive", "isOn"),
    "result": ("order.rejected", "order.refused"),
    "value": ("const color =", "const color: number ="),
}
"""What of the README's example is changed, so that it may not compile."""
ARCHIVES = {".whl", ".gz", ".tgz", ".gem", ".jar", ".nupkg", ".zip"}


async def used(bench: Bench, installed: Installed, code: str) -> list[str]:
    """Run a program beside a real sidecar, see that its outcomes arrive, and return what it prints."""
    command = await asyncio.to_thread(installed.prepare, code)
    sidecar = await serve_examples(bench)
    said = await asyncio.to_thread(installed.run, *command, TAILSLIDE_FLAGS_URL=sidecar.url)
    await bench.until_counted(CHECKOUT, success=2, failure=1)
    return said.splitlines()


def readme(language: str) -> str:
    examples = blocks(CLIENTS / language / "README.md")[language]
    return program(language, examples, then=GUARDED_TWICE.get(language, ""), prints=["color"])


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_installed_package_does_what_its_readme_says(
    language: str, bench: Bench, packages: Packages, tmp_path: Path
) -> None:
    installed = packages.install(language, tmp_path)

    said = await used(bench, installed, readme(language))
    assert (said[0], said[-1]) == ("new checkout", "green")


async def test_the_sdist_makes_the_same_package(bench: Bench, packages: Packages, tmp_path: Path) -> None:
    sources = only(packages.of("python"), "*.tar.gz")
    installed = Python(tmp_path)
    wheels = tmp_path / "wheels"
    # Without isolation, since hatchling would come from a registry.
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-build-isolation")
    installed.run(*pip, "--quiet", "--no-index", "--no-deps", "-w", wheels, sources)
    installed.install(wheels)

    assert members(only(wheels, "*.whl")) == members(only(packages.of("python"), "*.whl"))
    said = await used(bench, installed, readme("python"))
    assert (said[0], said[-1]) == ("new checkout", "green")


def members(archive: Path) -> list[str]:
    """Return the names of the files in an archive."""
    if archive.suffix in {".whl", ".jar", ".nupkg", ".zip"}:
        with zipfile.ZipFile(archive) as opened:
            return sorted(opened.namelist())
    with tarfile.open(archive) as opened:
        inner = next((one for one in opened.getmembers() if one.name == "data.tar.gz"), None)
        if inner is None:
            return sorted(opened.getnames())
        with tarfile.open(fileobj=opened.extractfile(inner)) as data:
            return sorted(data.getnames())


@pytest.mark.parametrize("language", LANGUAGES)
def test_archives_have_the_licence_and_no_tests(language: str, packages: Packages) -> None:
    folder = packages.of(language)
    archives = [path for path in folder.rglob("*") if path.suffix in ARCHIVES]
    assert archives
    for archive in archives:
        names = members(archive)
        parts = {part for name in names for part in Path(name).parts}
        assert "LICENSE" in parts or archive.name.endswith("-javadoc.jar"), names
        # Go's proxies make a module of its whole folder.
        assert language == "go" or not parts & {"tests", "test", "conformance"}, names


async def test_the_package_for_javascript_can_be_required(bench: Bench, packages: Packages, tmp_path: Path) -> None:
    installed = packages.install("javascript", tmp_path)
    code, imports = re.subn(r'import (\{.*\}) from (".*");', r"const \1 = require(\2);", readme("javascript"))
    assert imports == 1
    installed.written("package.json", '{"type": "commonjs"}')
    installed.program = "example.cjs"

    said = await used(bench, installed, f"(async () => {{\n{code}\n}})();\n")
    assert (said[0], said[-1]) == ("new checkout", "green")


def test_the_package_for_javascript_has_types(packages: Packages, tmp_path: Path) -> None:
    installed = packages.install("javascript", tmp_path)
    compiler = DASHBOARD_MODULES / "typescript" / "bin" / "tsc"
    if not compiler.exists():
        without("TypeScript is not installed: make dashboard")
    examples = "\n".join(blocks(CLIENTS / "javascript" / "README.md")["javascript"])
    installed.written("right.mts", TYPED_SURROUNDINGS + examples)
    for name, (right, wrong) in ILL_TYPED.items():
        assert right in examples
        installed.written(f"{name}.mts", TYPED_SURROUNDINGS + examples.replace(right, wrong))
    options = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--types", "node")
    command = f'"$0" "$@" {" ".join(options)} *.mts || true'  # it fails, since there are errors to be found
    said = installed.run("sh", "-c", command, "node", compiler, "--typeRoots", DASHBOARD_MODULES / "@types")

    assert set(re.findall(r"^(\S+)\(\d+,\d+\): error TS", said, re.MULTILINE)) == {f"{name}.mts" for name in ILL_TYPED}
