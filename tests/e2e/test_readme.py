"""The commands that the README shows give answers, on a loop that is named as the demo's."""

import argparse
import re
import shlex
from pathlib import Path

import aiohttp

from tailslide_core.circuit import State
from tailslide_embedded.demo.services import running_services
from tailslide_embedded.demo.story import PATH, plan
from tailslide_embedded.whole_loop import temporary_data_dir, whole_loop

README = Path(__file__).parents[2] / "README.md"
CURL = re.compile(r"^curl .*127\.0\.0\.1:41.*$", re.MULTILINE)


async def test_each_curl_of_the_readme_is_answered() -> None:
    commands = CURL.findall(README.read_text().partition("## Run it")[0])
    assert len(commands) == 6

    async with running_services(PATH) as services:
        with temporary_data_dir() as folder:
            async with whole_loop(folder, plan(services)) as loop:
                addresses = {
                    "http://127.0.0.1:4140": loop.addresses.proxy,
                    "http://127.0.0.1:4141": loop.addresses.flags,
                    "http://127.0.0.1:4143": loop.addresses.aerobat,
                }
                answers = [await _run(command, addresses) for command in commands]

    flag, ofrep, proxied, ready, metrics, status = answers
    assert '"active":true' in flag
    assert '"value":true' in ofrep
    assert '"served_by":"new"' in proxied
    assert '"ready":true' in ready
    assert "# HELP" in metrics
    assert State.CLOSED in status


async def _run(command: str, addresses: dict[str, str]) -> str:
    """Do what curl would; a fresh machine may have none."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-i", action="store_true")
    parser.add_argument("-X", dest="method", default="GET")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="body")
    options = parser.parse_args(shlex.split(command)[1:])
    for documented, actual in addresses.items():
        options.url = options.url.replace(documented, actual)
    headers = dict(header.split(": ", 1) for header in options.headers)
    async with (
        aiohttp.ClientSession() as session,
        session.request(options.method, options.url, headers=headers, data=options.body) as answer,
    ):
        text = await answer.text()
        assert answer.status == 200, f"{command}: {answer.status} {text}"
        return text
