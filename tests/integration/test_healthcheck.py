"""`tailslide healthcheck`, which the images run in the place of curl."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from tailslide_embedded.cli import cli
from tailslide_runtime.listener import HttpListener
from tailslide_runtime.settings import ListenAddress


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="ready")


async def _not_ready(_: web.Request) -> web.Response:
    return web.Response(text="no flags yet", status=503)


@pytest.fixture(params=["tcp", "unix"])
async def address(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ListenAddress]:
    app = web.Application()
    app.add_routes([web.get("/readyz", _ready), web.get("/other", _not_ready)])
    tcp = request.param == "tcp"
    listener = HttpListener(app, ListenAddress("127.0.0.1", 0) if tcp else ListenAddress(path=tmp_path / "s"), "listen")
    yield await listener.listen()
    await listener.close(0)


async def checked(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, cli, ["healthcheck", *words])


async def test_who_is_ready_is_healthy(address: ListenAddress) -> None:
    assert ((done := await checked(str(address))).exit_code, done.output) == (0, "ready\n")
    if address.path is None:
        assert (await checked(f"0.0.0.0:{address.port}")).exit_code == 0


async def test_who_is_not_ready_is_not(address: ListenAddress) -> None:
    done = await checked(str(address), "--path", "/other")
    assert (done.exit_code, done.stderr) == (1, f"Error: {address} answers 503: no flags yet\n")


async def test_who_does_not_answer_is_not(tmp_path: Path) -> None:
    done = await checked(f"unix:{tmp_path}/nobody")
    assert done.exit_code == 1
    assert "does not answer: " in done.stderr


async def test_an_address_that_is_none_is_refused() -> None:
    assert "expected host:port" in (await checked("tower")).stderr
