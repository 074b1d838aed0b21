"""How long a change takes: from the request to one Tower to a sidecar, and to the live socket of another Tower."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import nats
import orjson

from scale_bench.towers import API_TOKEN, Tower
from tailslide_core.naming import RULESETS_BUCKET, FlagId, bucket_subject

TIMEOUT_S = 30.0
PAUSE_S = 0.2
"""Between changes, so that none waits for the one before."""


@dataclass
class Times:
    """How long changes took, in milliseconds: until the answer, the message of NATS, the message of the socket."""

    answered: list[float] = field(default_factory=list)
    at_sidecar: list[float] = field(default_factory=list)
    at_socket: list[float] = field(default_factory=list)


@asynccontextmanager
async def live_socket(
    tower: Tower, http: aiohttp.ClientSession, subscribe: dict[str, Any]
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Open a live socket that has been told all that is true now."""
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    async with http.ws_connect(f"{tower.url}/api/v1/live", headers=headers, max_msg_size=0) as socket:
        await socket.send_json({"subscribe": {"snapshot": False, **subscribe}})
        await _until(socket, lambda message: message["type"] == "subscribed")
        yield socket


async def _until(socket: aiohttp.ClientWebSocketResponse, is_it: Any) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not is_it(orjson.loads(await socket.receive_str())):
            pass


@asynccontextmanager
async def drained(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[None]:
    """Take whatever a socket says, until the end of the block."""

    async def take() -> None:
        async for _ in socket:
            pass

    taking = asyncio.create_task(take())
    try:
        yield
    finally:
        taking.cancel()
        with suppress(asyncio.CancelledError):
            await taking


async def toggles(
    at: Tower, other: Tower, http: aiohttp.ClientSession, nats_url: str, flag_id: FlagId, count: int
) -> Times:
    """Toggle a flag so many times at one Tower, while a socket of the other follows all flags of its app."""
    times = Times()
    client = await nats.connect(nats_url)
    try:
        heard = await client.subscribe(bucket_subject(RULESETS_BUCKET, str(flag_id)))
        await client.flush()
        async with live_socket(other, http, {"apps": [flag_id.app]}) as socket:
            for number in range(count):
                await asyncio.sleep(PAUSE_S)
                began = time.perf_counter()

                def passed_ms(began: float = began) -> float:
                    return (time.perf_counter() - began) * 1000

                async def answered(active: bool = number % 2 == 1) -> int:
                    async with http.post(
                        f"{at.url}/api/v1/apps/{flag_id.app}/flags/{flag_id.flag}/toggle",
                        json={"active": active},
                        headers={"Authorization": f"Bearer {API_TOKEN}", "If-Match": "*"},
                    ) as answer:
                        said = await answer.json()
                        answer.raise_for_status()
                    times.answered.append(passed_ms())
                    return int(said["version"])

                async def at_sidecar() -> None:
                    await heard.next_msg(TIMEOUT_S)
                    times.at_sidecar.append(passed_ms())

                async def at_socket(active: bool = number % 2 == 1) -> None:
                    def is_it(message: dict[str, Any]) -> bool:
                        flag = message.get("flag") or {}
                        return message["type"] == "flag" and message["key"] == flag_id.flag and flag["active"] is active

                    await _until(socket, is_it)
                    times.at_socket.append(passed_ms())

                await asyncio.gather(answered(), at_sidecar(), at_socket())
    finally:
        await client.close()
    return times
