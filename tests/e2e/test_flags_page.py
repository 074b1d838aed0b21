"""Every example of docs/flags.md, in its order, through a real Tower to a real sidecar."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from tailslide_embedded.demo.services import running_services
from tailslide_embedded.demo.story import PATH, plan
from tailslide_embedded.whole_loop import WholeLoop, temporary_data_dir, whole_loop

PAGE = Path(__file__).parents[2] / "docs" / "flags.md"
BLOCK = re.compile(r"^```(json|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUESTION = re.compile(r"^\$ curl 'http://127\.0\.0\.1:4141([^']+)'\n(.+)$", re.MULTILINE)
APP = "shop"
WAIT_S = 10.0


async def test_every_example_of_the_page_is_so() -> None:
    blocks = BLOCK.findall(PAGE.read_text())
    assert len([text for kind, text in blocks if kind == "json"]) >= 10
    async with running_services(PATH) as services:
        with temporary_data_dir() as folder:
            async with whole_loop(folder, replace(plan(services), app=APP)) as loop, aiohttp.ClientSession() as session:
                for kind, text in blocks:
                    if kind == "json":
                        await make(session, loop, orjson.loads(text))
                    else:
                        await ask(session, loop, text)


async def make(session: aiohttp.ClientSession, loop: WholeLoop, body: dict[str, Any]) -> None:
    """Make a flag or, of what only segments have, a segment."""
    kind = "segments" if "include" in body else "flags"
    url = f"{loop.addresses.tower}/api/v1/apps/{APP}/{kind}"
    headers = {"Authorization": f"Bearer {loop.api_token}"}
    async with session.post(url, json=body, headers=headers) as answer:
        assert answer.status == 201, (body, await answer.text())


async def ask(session: aiohttp.ClientSession, loop: WholeLoop, text: str) -> None:
    """Ask each question of a block, once its flag has arrived, and compare all of the answer."""
    questions = QUESTION.findall(text)
    assert len(questions) == text.count("$ curl")
    for path, expected in questions:
        async with asyncio.timeout(WAIT_S):
            while (found := await answer_to(session, loop, path))[0] == 404:
                await asyncio.sleep(0.02)
        assert found == (200, orjson.loads(expected)), path


async def answer_to(session: aiohttp.ClientSession, loop: WholeLoop, path: str) -> tuple[int, object]:
    async with session.get(f"{loop.addresses.flags}{path}") as answer:
        return answer.status, orjson.loads(await answer.read())
