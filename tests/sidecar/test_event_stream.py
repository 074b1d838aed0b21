"""Change notices: who is told what, and when it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from unittest import mock

import orjson
import pytest
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.test_utils import make_mocked_request

from tailslide_runtime.http import ApiError
from tailslide_sidecar.event_stream import EventStream

MOMENT_S = 0.005
LONG_S = 3600.0


class Desk:
    def __init__(self, keep_alive_s: float = LONG_S, most: int = 2) -> None:
        self.revision = 1
        self.stream = EventStream(lambda: self.revision, most=most, keep_alive_s=keep_alive_s, coalesce_s=MOMENT_S)

    def change(self) -> None:
        self.revision += 1
        self.stream.changed()

    @asynccontextmanager
    async def listener(self, **headers: str) -> AsyncIterator[list[bytes]]:
        """Listen; yield what is told, which grows."""
        told: list[bytes] = []

        async def write(chunk: bytes) -> None:
            told.append(chunk)

        writer = mock.create_autospec(AbstractStreamWriter, spec_set=False, instance=True)
        writer.write = write
        request = make_mocked_request("GET", self.stream.path, headers, writer=writer)
        before = self.stream.listeners
        task = asyncio.create_task(self.stream.serve(request))
        try:
            await until(lambda: self.stream.listeners == before + 1 and len(told) > 0)
            yield told
        finally:
            self.stream.close()
            await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0)


def notices(told: list[bytes]) -> list[dict[str, object]]:
    found = []
    for chunk in told:
        if b"\ndata: " in chunk:
            assert chunk.startswith(b"id: ")
            assert b"\nevent: message\n" in chunk
            assert chunk.endswith(b"\n\n")
            found.append(orjson.loads(chunk.partition(b"\ndata: ")[2]))
    return found


async def told_after(work: Callable[[], Awaitable[None]], told: list[bytes]) -> list[dict[str, object]]:
    del told[:]
    await work()
    await until(lambda: bool(notices(told)))
    return notices(told)


async def test_changes_of_a_moment_are_one_notice() -> None:
    desk = Desk()
    async with desk.listener() as told:

        async def changes() -> None:
            for _ in range(20):
                desk.change()

        first = await told_after(changes, told)
        assert len(first) == 1
        assert first[0]["type"] == "refetchEvaluation"
        second = await told_after(changes, told)
        assert len(second) == 1
        assert first != second


async def test_a_change_while_one_is_told_is_not_lost() -> None:
    desk = Desk()
    async with desk.listener() as told:
        for _ in range(3):
            before = len(notices(told))
            desk.change()
            await until(lambda before=before: len(notices(told)) > before)  # type: ignore[misc] # bound at once
        assert desk.stream.state in str(notices(told)[-1]["etag"])


async def test_who_knows_the_present_state_is_told_nothing_yet() -> None:
    desk = Desk()
    async with desk.listener(**{"Last-Event-ID": desk.stream.state}) as told:
        assert notices(told) == []
    async with Desk().listener(**{"Last-Event-ID": "1"}) as told:
        await until(lambda: len(notices(told)) == 1)


async def test_silence_is_broken_by_signs_of_life() -> None:
    desk = Desk(keep_alive_s=0.001)
    async with desk.listener() as told:
        await until(lambda: told.count(b": keep-alive\n\n") >= 3)


async def test_there_are_only_so_many() -> None:
    desk = Desk(most=2)
    async with desk.listener(), desk.listener():
        with pytest.raises(ApiError) as error:
            await desk.stream.serve(make_mocked_request("GET", desk.stream.path))
        assert (error.value.status, error.value.code) == (503, "TOO_MANY_LISTENERS")
        assert desk.stream.listeners == 2
    assert desk.stream.listeners == 0


async def test_who_is_gone_is_forgotten() -> None:
    desk = Desk()
    writer = mock.create_autospec(AbstractStreamWriter, spec_set=False, instance=True)
    writer.write.side_effect = ConnectionResetError
    answer = await desk.stream.serve(make_mocked_request("GET", desk.stream.path, writer=writer))
    assert isinstance(answer, web.StreamResponse)
    assert desk.stream.listeners == 0


async def test_streams_end_with_the_sidecar() -> None:
    desk = Desk()
    async with desk.listener() as told:
        desk.stream.close()
        await until(lambda: desk.stream.listeners == 0)
        assert len(notices(told)) <= 1


def test_the_key_of_the_stream_is_not_the_token() -> None:
    guarded = EventStream(lambda: 0, token="sesame")
    assert guarded.key is not None
    assert "sesame" not in guarded.request_uri
    assert guarded.request_uri.endswith(f"?key={guarded.key}")
    assert guarded.key == EventStream(lambda: 1, token="sesame").key
    assert guarded.key != EventStream(lambda: 0, token="sesam").key
    assert EventStream(lambda: 0).request_uri == "/ofrep/v1/events"
