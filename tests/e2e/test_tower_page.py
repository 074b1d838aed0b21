"""The examples of docs/tower.md and the pages beside it, in their order, as one shell types them, on a real Tower."""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from shell import Shell

from tailslide_embedded.demo.services import running_services
from tailslide_embedded.demo.story import PATH, plan
from tailslide_embedded.whole_loop import temporary_data_dir, whole_loop

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANY = "…"
"""Stands in the page for what differs each time; in an object, for more members."""


FLAGS_OF = {"access.md": "checkout/new-checkout", "log.md": "checkout/new-checkout", "graphs.md": "shop/search"}
"""The flag that a page's examples are about, which it does not make itself."""


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((DOCS / page).read_text())


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_every_example_of_the_page_is_so() -> None:
    examples = blocks("tower.md")
    assert len([kind for kind, _ in examples if kind == "sh"]) >= 20
    async with running_shell() as shell:
        said = ""
        for kind, text in examples:
            if kind == "sh":
                said = await shell.run(text)
            else:
                assert_like(orjson.loads(_last_json(said)), orjson.loads(text), text)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", FLAGS_OF)
async def test_every_command_of_a_page_beside_it_is_answered(page: str) -> None:
    _, variables = blocks("tower.md")[0]
    app, _, flag = FLAGS_OF[page].partition("/")
    commands = [text for kind, text in blocks(page) if kind == "sh"]
    assert len(commands) >= 2
    async with running_shell() as shell:
        await shell.run(variables)
        await shell.run(f"""curl "$API/apps" -H "$AUTH" -H "$JSON" -d '{{"key": "{app}"}}'""")
        await shell.run(f"""curl "$API/apps/{app}/flags" -H "$AUTH" -H "$JSON" -d '{{"key": "{flag}"}}'""")
        for text in commands:
            await shell.run(text)


@asynccontextmanager
async def running_shell() -> AsyncIterator[Shell]:
    """Yield a shell with the variables that `tailslide env --admin` sets."""
    async with running_services(PATH) as services:
        with temporary_data_dir() as folder:
            async with whole_loop(folder, replace(plan(services), app="demo")) as loop:
                environment = {"TAILSLIDE_TOWER_URL": loop.addresses.tower, "TAILSLIDE_API_TOKEN": loop.api_token}
                with TemporaryDirectory() as working:
                    shell = await Shell.start(environment, working)
                    try:
                        yield shell
                    finally:
                        await shell.end()


def _last_json(said: str) -> str:
    return said.strip().splitlines()[-1]


def assert_like(found: Any, expected: Any, where: str) -> None:
    """Compare an answer with the page: `…` is anything, as a member it stands for more members."""
    if expected == ANY:
        return
    if isinstance(expected, dict):
        assert isinstance(found, dict), where
        more = expected.pop(ANY, None) is not None
        assert more or found.keys() == expected.keys(), (where, found)
        for name, value in expected.items():
            assert name in found, (where, name, found)
            assert_like(found[name], value, where)
    elif isinstance(expected, list):
        assert isinstance(found, list), where
        if ANY in expected:
            expected = [item for item in expected if item != ANY]
            assert len(found) >= len(expected), (where, found)
        else:
            assert len(found) == len(expected), (where, found)
        for one, other in zip(found, expected, strict=False):
            assert_like(one, other, where)
    elif isinstance(expected, str) and ANY in expected:
        pattern = ".*".join(re.escape(part) for part in expected.split(ANY))
        assert re.fullmatch(pattern, str(found)), (where, found)
    else:
        assert found == expected, (where, found)
