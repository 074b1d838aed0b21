"""Transitions of circuits come into the log: each exactly once, in order, whoever dies meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from circuit_moves import AT_MS, FLAG, LIFE, OPENED, make_stream, publish, trip
from nats.aio.client import Client
from real_servers import RealServers
from tower_bench import TowerBench, until

from tailslide_core.naming import EVENTS_CONSUMER, EVENTS_STREAM, event_subject
from tailslide_tower.times import timestamp


@pytest.fixture
async def client(bench: TowerBench) -> AsyncIterator[Client]:
    async with bench.nats() as connected:
        await make_stream(connected)
        yield connected


async def actions(bench: TowerBench) -> list[str]:
    async with bench.connection() as connection:
        rows = await connection.fetch("SELECT action FROM log WHERE kind = 'circuit' ORDER BY id")
        return [row["action"] for row in rows]


async def until_actions(bench: TowerBench, *expected: str) -> None:
    async def there() -> bool:
        return await actions(bench) == list(expected)

    await until(there)


async def count_of(bench: TowerBench, number: int) -> None:
    async def there() -> bool:
        return len(await actions(bench)) >= number

    await until(there)


async def unsettled(client: Client) -> tuple[int, int]:
    """Return how many events are not delivered, and how many not acknowledged."""
    info = await client.jetstream().consumer_info(EVENTS_STREAM, EVENTS_CONSUMER)
    return info.num_pending or 0, info.num_ack_pending or 0


async def until_settled(client: Client) -> None:
    async def settled() -> bool:
        return await unsettled(client) == (0, 0)

    await until(settled)


async def test_a_trip_and_its_recovery_are_in_the_log(bench: TowerBench, client: Client) -> None:
    for transition in LIFE:
        await publish(client, transition)
    async with bench.tower():
        await until_actions(bench, "circuit.opened", "circuit.recovering", "circuit.step", "circuit.closed")
        await until_settled(client)
    async with bench.connection() as connection:
        rows = await connection.fetch("SELECT * FROM log WHERE kind = 'circuit' ORDER BY id")
    opened = rows[0]
    assert (opened["app"], opened["key"]) == FLAG
    assert (opened["actor_kind"], opened["actor"]) == ("system", "Aerobat")
    assert timestamp(opened["at"]) == "2026-11-22T15:59:50.302Z"
    assert opened["at"].timestamp() * 1000 == AT_MS
    assert orjson.loads(opened["before"])["state"] == "closed"
    assert orjson.loads(opened["after"])["state"] == "open"
    details = orjson.loads(opened["details"])
    assert (details["signal"], details["reason"]["calls"]) == ("breach", 141)
    assert [row["minor"] for row in rows] == [False, False, True, False]


async def test_event_that_is_in_the_log_is_not_written_again(bench: TowerBench, client: Client) -> None:
    async with bench.tower() as tower:
        await publish(client, OPENED)
        await publish(client, OPENED, again=True)
        await publish(client, LIFE[1])
        await until_actions(bench, "circuit.opened", "circuit.recovering")
        text = (await tower.call("GET", "/metrics")).body.decode()
        assert 'tailslide_tower_circuit_events_total{result="repeated"} 1.0' in text


async def test_what_cannot_be_read_holds_nothing_up(bench: TowerBench, client: Client) -> None:
    async with bench.tower() as tower:
        await client.jetstream().publish(event_subject(FLAG), b"{}")
        await client.jetstream().publish("events.circuit.shop.other", b'{"schema": 99}')
        await publish(client, OPENED)
        await until_actions(bench, "circuit.opened")
        await until_settled(client)
        text = (await tower.call("GET", "/metrics")).body.decode()
        assert 'tailslide_tower_circuit_events_total{result="refused"} 2.0' in text


async def test_two_towers_write_each_event_once_and_in_order(bench: TowerBench, client: Client) -> None:
    async with bench.tower(), bench.tower():
        for number in range(1, 101):
            await publish(client, trip(number))
        await count_of(bench, 100)
        await until_settled(client)
    async with bench.connection() as connection:
        rows = await connection.fetch("SELECT after FROM log WHERE kind = 'circuit' ORDER BY id")
    assert [orjson.loads(row["after"])["generation"] for row in rows] == list(range(1, 101))


async def test_stream_that_is_made_later_and_made_anew(
    bench: TowerBench, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.jetstream().delete_stream(EVENTS_STREAM)
    async with bench.tower() as tower:
        await tower.until_published()
        await make_stream(client)
        await publish(client, LIFE[0])
        await until_actions(bench, "circuit.opened")
        await make_stream(client)
        await publish(client, LIFE[0])  # Aerobat completes events that the stream has lost
        await publish(client, LIFE[1])
        await until_actions(bench, "circuit.opened", "circuit.recovering")


async def test_events_wait_for_the_database(own_servers: RealServers, bench: TowerBench, client: Client) -> None:
    async with bench.tower():
        await publish(client, LIFE[0])
        await until_actions(bench, "circuit.opened")
        own_servers.stop("postgres")
        try:
            await publish(client, LIFE[1])
            await publish(client, LIFE[2])
            await until_delivered(client)
        finally:
            own_servers.start("postgres")
        await until_actions(bench, "circuit.opened", "circuit.recovering", "circuit.step")


async def until_delivered(client: Client) -> None:
    async def delivered() -> bool:
        return await unsettled(client) == (1, 1)

    await until(delivered)


@asynccontextmanager
async def deaf_to_acknowledgements(address: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Stand before NATS and hand nothing more to it once a client has acknowledged something.

    Yields the address, and what is set then. Ends when all clients have left.
    """
    heard = asyncio.Event()
    host, _, port = address.partition(":")

    async def up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if b"PUB $JS.ACK." in data:
                heard.set()
            if not heard.is_set():
                writer.write(data)
        writer.close()

    async def down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(up(reader, server_writer), down(server_reader, writer))
        except ConnectionError:  # the client was killed
            server_writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()
        await server.wait_closed()


async def test_tower_killed_between_commit_and_acknowledgement(bench: TowerBench, client: Client) -> None:
    real_url = bench.nats_url
    real_address = real_url.rpartition("@")[2].removeprefix("nats://")
    async with deaf_to_acknowledgements(real_address) as (address, heard):
        bench.nats_url = real_url.replace(real_address, address)
        async with bench.tower_process() as (_, process):
            await publish(client, LIFE[0])
            async with asyncio.timeout(30):
                await heard.wait()
            process.kill()
        bench.nats_url = real_url
        assert await actions(bench) == ["circuit.opened"]
        assert await unsettled(client) == (0, 1)
        async with bench.tower() as tower:
            await publish(client, LIFE[1])
            await until_actions(bench, "circuit.opened", "circuit.recovering")
            await until_settled(client)
            text = (await tower.call("GET", "/metrics")).body.decode()
            assert 'tailslide_tower_circuit_events_total{result="repeated"} 1.0' in text
