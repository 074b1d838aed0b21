"""Waiting for what is being answered."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from tailslide_runtime.in_flight import InFlight

LONG_S = 3600.0


async def until_counted(in_flight: InFlight, count: int) -> None:
    async with asyncio.timeout(5):
        while in_flight.count != count:
            await asyncio.sleep(0)


async def test_the_end_waits_for_what_is_being_answered() -> None:
    in_flight, go = InFlight(), asyncio.Event()

    async def handler(_: web.Request) -> web.StreamResponse:
        await go.wait()
        return web.Response()

    answers = [asyncio.create_task(in_flight.answer(make_mocked_request("GET", "/"), handler)) for _ in range(3)]
    await until_counted(in_flight, 3)
    end = asyncio.create_task(in_flight.ended(LONG_S))
    await asyncio.sleep(0)
    assert not end.done()
    go.set()
    await end
    assert in_flight.count == 0
    assert [answer.result().keep_alive for answer in answers] == [False] * 3


async def test_until_the_end_connections_go_on() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response()

    in_flight = InFlight()
    answer = await in_flight.answer(make_mocked_request("GET", "/"), handler)
    assert answer.keep_alive is None  # as the request has it
    await in_flight.ended(LONG_S)
    assert (await in_flight.answer(make_mocked_request("GET", "/"), handler)).keep_alive is False


async def test_what_fails_is_over_too() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        raise ZeroDivisionError

    in_flight = InFlight()
    with pytest.raises(ZeroDivisionError):
        await in_flight.answer(make_mocked_request("GET", "/"), handler)
    await in_flight.ended(LONG_S)
    assert in_flight.count == 0


async def test_the_end_does_not_wait_for_ever() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    in_flight = InFlight()
    answer = asyncio.create_task(in_flight.answer(make_mocked_request("GET", "/"), handler))
    await until_counted(in_flight, 1)
    await in_flight.ended(0.0)
    assert in_flight.count == 1
    answer.cancel()
    await asyncio.gather(answer, return_exceptions=True)
    assert in_flight.count == 0
