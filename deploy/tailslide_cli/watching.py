"""Following a flag over Tower's live socket: its state when it changes, and each entry of its log.

A connection that is lost is made again, and goes on from the last cursor, so nothing is left out.
"""

import asyncio
import random
import signal
from typing import Any

import aiohttp
import click
import orjson

from tailslide_cli.tower_api import RefusedError, TowerApi, flag_path
from tailslide_core.naming import FlagId

MAX_PAUSE_S = 5.0


async def watch(tower: TowerApi, flag: FlagId, *, as_json: bool) -> None:
    """Print what happens to a flag until SIGINT or SIGTERM; raise `RefusedError` when it cannot be watched at all."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    watching, stopping = asyncio.create_task(_watch(tower, flag, as_json=as_json)), asyncio.create_task(stop.wait())
    await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (watching, stopping):
        task.cancel()
    ended, _ = await asyncio.gather(watching, stopping, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended


async def _watch(tower: TowerApi, flag: FlagId, *, as_json: bool) -> None:
    await tower.get(flag_path(flag))  # an answer that is an error says what is wrong
    following = _Following(flag, as_json=as_json)
    pause_s = 0.2
    while True:
        try:
            async with tower.live() as socket:
                await following.follow(socket)
                pause_s = 0.2
        except RefusedError as error:
            if error.status is not None and error.status < 500 and error.status != 429:
                raise
            following.lost(str(error.message))
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 # jitter, no secret
        pause_s = min(MAX_PAUSE_S, pause_s * 2)


class _Following:
    """What was heard so far, over one connection after another."""

    def __init__(self, flag: FlagId, *, as_json: bool) -> None:
        self._flag = flag
        self._as_json = as_json
        self._cursor: str | None = None
        self._said: str | None = None
        self._is_lost = False

    async def follow(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Follow over one connection, until it ends."""
        wanted: dict[str, object] = {"subscribe": {"flags": [str(self._flag)], "log": True}}
        if self._cursor is not None:
            wanted["since"] = self._cursor
        await socket.send_str(orjson.dumps(wanted).decode())
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._heard(orjson.loads(message.data))
        if socket.close_code == 4401:
            raise RefusedError("the token has ended, or may not see this flag; run `tailslide login`", 401)
        self.lost("the connection was closed")

    def _heard(self, message: dict[str, Any]) -> None:
        self._cursor = message.get("cursor") or self._cursor
        if self._is_lost:
            self._is_lost = False
            click.echo("Connected again.", err=True)
        if message["type"] == "flag" and message["flag"] is not None:
            self._tell_state(message["flag"])
        elif message["type"] == "flag":
            click.echo(f"{self._flag} is not there any more.", err=True)
        elif message["type"] == "log":
            self._tell_entry(message["entry"])
        elif message["type"] == "error":
            raise RefusedError(f"Tower cannot follow {self._flag}: {message['detail']}", 400)

    def _tell_state(self, flag: dict[str, Any]) -> None:
        if self._as_json:
            click.echo(orjson.dumps({"flag": flag}).decode())
            return
        said = f"[{flag['state']['word']}] {flag['state']['sentence']}"
        if said != self._said:
            self._said = said
            click.echo(said)

    def _tell_entry(self, entry: dict[str, Any]) -> None:
        if self._as_json:
            click.echo(orjson.dumps({"entry": entry}).decode())
        else:
            why = f" “{entry['reason']}”" if entry.get("reason") else ""
            click.echo(f"{entry['at']}  {entry['sentence']}{why}")

    def lost(self, why: str) -> None:
        """Say once that nothing is heard now."""
        if not self._is_lost:
            self._is_lost = True
            click.echo(f"Not connected: {why}. Trying again.", err=True)
