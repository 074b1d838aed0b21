"""A real trip, as the chat of a team reads it."""

import asyncio
import re

import aiohttp
from scene import APP, FLAG, Scene, running_scene
from webhook_receivers import Receiver, receiver

from tailslide_core.circuit import State

TIMEOUT_S = 20.0


async def test_a_trip_and_its_recovery_are_told_in_words_that_need_no_dashboard() -> None:
    async with receiver() as hook, running_scene({"TAILSLIDE_ALERT_ALLOWED_NETWORKS": "127.0.0.0/8"}) as scene:
        await _make_webhook(scene, hook)
        scene.services.new.break_down()
        await scene.until(State.OPEN)
        (opened,) = await _texts(hook, 1)
        scene.services.new.heal()
        await scene.until(State.CLOSED)
        _, recovering, closed = await _texts(hook, 3)

    print("", opened, "", recovering, "", closed, sep="\n")
    calls, span = r"(?:all [0-9]+|[0-9.]+% of [0-9]+) calls", r"[0-9.]+ m?s"
    assert re.fullmatch(
        f"Circuit open: {FLAG} \\({APP}\\)\n"
        f"The circuit of {FLAG} opened: {calls} failed in {span}; the threshold is 20%\\.\n"
        f"Nobody gets {FLAG} now\\. Calls go to the fallback\\.\n"
        f"The circuit lets users back in by itself from [0-9:]{{8}} UTC, 25% first\\.\n"
        f"http://127\\.0\\.0\\.1:[0-9]+/apps/{APP}/flags/{FLAG}",
        opened,
    ), opened
    assert recovering.startswith(f"Users come back: {FLAG} ({APP})\nThe circuit of {FLAG} lets users back in: 25%")
    assert closed.startswith(f"Circuit closed: {FLAG} ({APP})\nThe circuit of {FLAG} closed: its recovery went well.")


async def _make_webhook(scene: Scene, hook: Receiver) -> None:
    webhook = {
        "name": "On call",
        "kind": "slack",
        "url": hook.url(),
        "app": APP,
        "occasions": ["opened", "recovering", "closed"],
    }
    headers = {"Authorization": f"Bearer {scene.loop.api_token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{scene.loop.addresses.tower}/api/v1/webhooks", json=webhook) as answer,
    ):
        assert answer.status == 201, await answer.text()


async def _texts(hook: Receiver, number: int) -> list[str]:
    async with asyncio.timeout(TIMEOUT_S):
        while len(hook.received) < number:
            await asyncio.sleep(0.02)
    return [str(received.json["text"]) for received in hook.received]
