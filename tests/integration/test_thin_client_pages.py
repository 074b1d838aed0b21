"""The pages about thin clients hold: their examples run, and each name in their tables is there.

In each language the client is its installed package, beside a real sidecar.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from client_names import PRINTS_MISSING
from client_packages import CLIENTS, LANGUAGES, ROOT, Packages
from client_programs import program
from example_flags import CHECKOUT, serve_examples
from page_blocks import blocks
from sidecar_bench import Bench, bench_on

from tailslide_embedded.stack import Endpoints

CLIENTS_PAGE = ROOT / "docs" / "clients.md"
ORIGINAL_PAGE = ROOT / "docs" / "from-the-original.md"
TITLES = {"Python": "python", "JavaScript": "javascript", "Go": "go", "Ruby": "ruby", "Java": "java", "C#": "csharp"}

NamesOf = Callable[[str], tuple[set[str], set[str]]]
"""Given a language, the names of members and of settings."""


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_example_in_each_language(language: str, bench: Bench, packages: Packages, tmp_path: Path) -> None:
    installed = packages.install(language, tmp_path)
    command = await asyncio.to_thread(installed.prepare, program(language, blocks(CLIENTS_PAGE)[language]))
    sidecar = await serve_examples(bench)
    said = await asyncio.to_thread(installed.run, *command, TAILSLIDE_FLAGS_URL=sidecar.url)

    assert said == "new checkout\n"
    await bench.until_counted(CHECKOUT, success=1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_installed_until_the_packages_are_published_is_there(language: str, packages: Packages) -> None:
    table = next(tables(CLIENTS_PAGE.read_text()))
    (row,) = [row for row in table if TITLES.get(row[0]) == language]
    files = re.findall(r"(dist/sdk|sdk-thin)/([^\s`;=]+)", row[-1])
    assert files
    for folder, name in files:
        # `make sdk-package` puts all packages into one folder.
        found = (packages.of(language) if folder == "dist/sdk" else CLIENTS).glob(name)
        assert len(list(found)) == 1, name
    # The language's own page says the same.
    installs = [command for command in re.findall(r"`([^`]+)`", row[-1]) if "tailslide/" in command]
    page = (CLIENTS / language / "README.md").read_text()
    assert installs
    assert [command for command in installs if command not in page] == []


async def test_the_program_that_comes_after_the_original(bench: Bench, packages: Packages, tmp_path: Path) -> None:
    before, after = blocks(ORIGINAL_PAGE)["javascript"]
    installed = packages.install("javascript", tmp_path)
    installed.run("node", "--check", installed.written("before.mjs", before))
    command = await asyncio.to_thread(installed.prepare, program("javascript", [after]))
    sidecar = await serve_examples(bench)
    # It says nothing of countries: the flag is off.
    assert await asyncio.to_thread(installed.run, *command, TAILSLIDE_FLAGS_URL=sidecar.url) == ""


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yield the tables of a page: rows of cells, with the header first."""
    for found in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        lines = found.splitlines()
        yield [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def names_of_clients_page(language: str) -> tuple[set[str], set[str]]:
    """Return the names of members and of settings in the two tables that have a column for each language."""
    title = next(title for title, each in TITLES.items() if each == language)
    members, settings = [table for table in tables(CLIENTS_PAGE.read_text()) if table[0][1:] == list(TITLES)]
    column = members[0].index(title)

    def names(table: list[list[str]]) -> set[str]:
        return {name for row in table[1:] for name in re.findall(r"`(.+?)`", row[column])}

    return names(members), names(settings)


def names_of_original_page(language: str) -> tuple[set[str], set[str]]:
    """Return the names of members that the last columns of the tables mention, and of settings."""
    text = ORIGINAL_PAGE.read_text().partition("## Names")[2]
    title = next(title for title, each in TITLES.items() if each == language)
    if language in {"java", "csharp"}:
        (table,) = tables(text.partition("### Java and C#")[2])
        column = table[0].index(title)
    else:
        table = next(tables(text.partition(f"### {title}\n")[2]))
        column = -1
    cells = " ".join(row[column] for row in table[1:])
    members = set(re.findall(r"flags\.(\w+\??)|(?<![\w.])(tailslide\.\w+)", cells))
    found = {name for pair in members for name in pair if name}
    if language == "csharp":
        found |= set(re.findall(r"`(\w+)`", cells))
    made = re.search(r"`(?:new )?[\w:]*Client(?:\.new)?\((.*?)\)`", cells)
    settings = set(re.findall(r"[a-z]\w*", made[1])) if made is not None else set()
    return found, settings


@pytest.mark.parametrize("names_of", [names_of_clients_page, names_of_original_page])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_names_in_the_tables_are_there(
    language: str, names_of: NamesOf, packages: Packages, tmp_path: Path
) -> None:
    members, settings = names_of(language)
    assert len(members) > 3
    installed = packages.install(language, tmp_path)

    assert installed.run(*installed.prepare(PRINTS_MISSING[language](members, settings))) == ""
