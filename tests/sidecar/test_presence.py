"""When the sidecar writes its entry, and when it takes it away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import nats.errors
import orjson
import pytest
from contract_samples import PRESENCE
from nats.aio.client import Client

from tailslide_core.naming import SidecarId, is_app_key
from tailslide_core.presence import Presence, decode_presence
from tailslide_sidecar.presence import PresenceWriter, new_instance

ME = SidecarId("checkout", "pay-1a2b3c")
SUBJECT = "$KV.sidecars.checkout.pay-1a2b3c"
NEVER_S = 1_000.0


class Connection:
    """Takes what is published; fails while told to."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, dict[str, str] | None]] = []
        self.broken = False

    async def publish(self, subject: str, payload: bytes, *, headers: dict[str, str] | None = None) -> None:
        if self.broken:
            raise nats.errors.ConnectionClosedError
        self.published.append((subject, payload, headers))


def look() -> Presence:
    return decode_presence(orjson.dumps(PRESENCE))


def writer(
    *, every_s: float = NEVER_S, change_s: float = 0.0, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> PresenceWriter:
    return PresenceWriter(ME, look, every_s=every_s, change_s=change_s, pause=pause)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0)


async def serving(presence: PresenceWriter, connection: Connection) -> "asyncio.Task[None]":
    task = asyncio.create_task(presence.serve(cast(Client, connection)))
    await until(lambda: presence.written > 0)
    return task


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_entry_is_written_with_each_connection_and_asks_for_no_answer() -> None:
    presence, connection = writer(), Connection()
    await end(await serving(presence, connection))
    ((subject, payload, headers),) = connection.published
    assert (subject, headers) == (SUBJECT, None)
    assert decode_presence(payload).sidecar_id == ME


async def test_entry_is_written_again_after_a_change() -> None:
    presence, connection = writer(), Connection()
    task = await serving(presence, connection)
    presence.changed()
    await until(lambda: len(connection.published) == 2)
    await end(task)


async def test_many_changes_are_one_entry_until_a_second_has_passed() -> None:
    second_over, pauses = asyncio.Event(), list[float]()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await second_over.wait()

    presence, connection = writer(change_s=1.0, pause=pause), Connection()
    task = await serving(presence, connection)
    for _ in range(100):
        presence.changed()
        await asyncio.sleep(0)
    assert len(connection.published) == 1
    second_over.set()
    await until(lambda: len(connection.published) == 2)
    await end(task)
    assert 0.9 < pauses[0] <= 1.0


async def test_entry_is_written_again_while_nothing_changes() -> None:
    presence, connection = writer(every_s=0.001), Connection()
    task = await serving(presence, connection)
    await until(lambda: len(connection.published) > 3)
    await end(task)


async def test_entry_is_taken_away_at_a_stop_in_order() -> None:
    presence, connection = writer(), Connection()
    task = await serving(presence, connection)
    presence.leave()
    await end(task)
    assert connection.published[-1] == (SUBJECT, b"", {"KV-Operation": "DEL"})


async def test_entry_stays_when_the_connection_is_lost() -> None:
    presence, connection = writer(), Connection()
    await end(await serving(presence, connection))
    assert [headers for _, _, headers in connection.published] == [None]


async def test_connection_that_takes_nothing_ends_nothing() -> None:
    presence, connection = writer(), Connection()
    connection.broken = True
    task = await serving(presence, connection)
    presence.changed()
    connection.broken = False
    await until(lambda: len(connection.published) == 1)
    await end(task)


def test_each_process_has_an_instance_of_its_own() -> None:
    one, other = new_instance(), new_instance()
    assert one != other
    assert is_app_key(one)
