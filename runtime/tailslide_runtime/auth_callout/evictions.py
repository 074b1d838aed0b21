"""Ends the connections of revoked keys, on every server of a cluster, through the system account.

Whoever sees that a key has gone looks for its connections several times, since one that another Tower or Aerobat has
just let in may not be listed yet, and turns away at once each that comes later: who lets it in may not have heard.
Besides, all connections are looked through now and then, for keys that were revoked while nobody watched.

Fails open: without the system account, revoked keys stay connected until they reconnect, and a log says so.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import nats.errors
import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from tailslide_core.sidecar_access import SIDECARS_ACCOUNT
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.known_keys import KnownKeys

log = structlog.get_logger()

LOOKS_S = (0.0, 0.5, 2.0)
"""When, after a key has gone, its connections are looked for."""
SWEEP_EVERY_S = 30.0
GATHER_S = 0.5
"""For how long servers are waited for, whose number nobody knows, after the last that answered."""
ANSWER_TIMEOUT_S = 2.0
PAGE = 1024
"""Connections in one answer of a server."""
CONNECTED = f"$SYS.ACCOUNT.{SIDECARS_ACCOUNT}.CONNECT"


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection of a sidecar: where it is, and the name of its key, `<app>.<id>`."""

    server_id: str
    connection_id: int
    key: str


class Evictions:
    """Compares who is connected with the keys that are good."""

    def __init__(self, keys: KnownKeys, sweep_every_s: float = SWEEP_EVERY_S) -> None:
        self._keys = keys
        self._sweep_every_s = sweep_every_s
        self._seen: set[str] = set()
        """Names of all keys that were good at some time."""
        self.evicted = 0
        """How many connections were ended."""

    def _revoked(self) -> set[str]:
        self._seen |= self._keys.records.keys()
        return self._seen - self._keys.records.keys()

    async def serve(self, client: Client) -> None:
        """End connections until cancelled; the errors of nats-py come out."""

        async def on_connect(message: Msg) -> None:
            found = _connection_of(message.data)
            if found is not None and found.key in self._revoked():
                await self._end(client, [found])

        await client.subscribe(CONNECTED, cb=on_connect)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._end_revoked(client))
            group.create_task(self._sweep(client))

    async def _end_revoked(self, client: Client) -> None:
        known: set[str] = set()
        while True:
            changes, revoked = self._keys.changes, self._revoked()
            if revoked - known:
                known = revoked
                for earlier_s, at_s in zip((0.0, *LOOKS_S), LOOKS_S, strict=False):
                    await asyncio.sleep(at_s - earlier_s)
                    revoked = self._revoked()  # a lost bucket may have been filled again meanwhile
                    await self._end(client, [one for one in await self._connections(client) if one.key in revoked])
            known &= revoked
            raise_if_cancelled()
            await self._keys.changed_since(changes)

    async def _sweep(self, client: Client) -> None:
        """End what was unknown in two looks after each other: a new key may have come by another way than the watch."""
        unknown: set[Connected] = set()
        while True:
            if self._keys.listed and self._keys.watch.in_touch:
                found = {one for one in await self._connections(client) if one.key not in self._keys.records}
                await self._end(client, found & unknown)
                unknown = found
            else:
                unknown = set()
            raise_if_cancelled()
            await asyncio.sleep(self._sweep_every_s)

    async def _end(self, client: Client, connections: Iterable[Connected]) -> None:
        ended: Counter[str] = Counter()
        for one in connections:
            body = orjson.dumps({"cid": one.connection_id})
            # A server that has gone took its connections with it; another look finds those that it did not.
            with suppress(nats.errors.NoRespondersError, TimeoutError):
                await client.request(f"$SYS.REQ.SERVER.{one.server_id}.KICK", body, timeout=ANSWER_TIMEOUT_S)
                ended[one.key] += 1
        for key, number in ended.items():
            log.warning("connections_ended", key=key, connections=number, why="the key is revoked")
        self.evicted += ended.total()

    async def _connections(self, client: Client) -> Collection[Connected]:
        """Return all connections of sidecars, on all servers."""
        found: list[Connected] = []
        for server_id, first in (await _ask_all(client)).items():
            answer, offset = first, 0
            while True:
                found += _connections_in(server_id, answer)
                offset += PAGE
                if offset >= answer.get("total", 0):
                    break
                message = await client.request(
                    f"$SYS.REQ.SERVER.{server_id}.CONNZ", _question(offset), timeout=ANSWER_TIMEOUT_S
                )
                answer = orjson.loads(message.data).get("data") or {}
        return found


def _question(offset: int) -> bytes:
    return orjson.dumps({"auth": True, "acc": SIDECARS_ACCOUNT, "limit": PAGE, "offset": offset})


async def _ask_all(client: Client) -> dict[str, dict[str, Any]]:
    """Return the first page of each server's connections, by the server's id."""
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    pages: dict[str, dict[str, Any]] = {}
    try:
        await client.publish("$SYS.REQ.SERVER.PING.CONNZ", _question(0), reply=inbox)
        timeout_s = ANSWER_TIMEOUT_S
        while True:
            try:
                answer = orjson.loads((await subscription.next_msg(timeout=timeout_s)).data)
            except nats.errors.TimeoutError:
                return pages
            pages[answer["server"]["id"]] = answer.get("data") or {}
            timeout_s = GATHER_S
    finally:
        await subscription.unsubscribe()


def _connections_in(server_id: str, page: Mapping[str, Any]) -> Iterable[Connected]:
    for one in page.get("connections") or ():
        yield Connected(server_id, one["cid"], one.get("authorized_user", ""))


def _connection_of(event: bytes) -> Connected | None:
    """Return the connection that an event of the server tells of (`io.nats.server.advisory.v1.client_connect`)."""
    told = orjson.loads(event)
    client = told.get("client") or {}
    if "id" not in client:
        return None
    return Connected(told["server"]["id"], client["id"], client.get("user", ""))
