"""The demo as a command: what somebody reads whose machine is too slow for it."""

import asyncio
from typing import Any

import pytest

from tailslide_embedded.demo import command
from tailslide_runtime.errors import StartError


class Background:
    """Runs until it is cancelled, as traffic does."""

    async def run(self, *_: object) -> None:
        await asyncio.Event().wait()


class VainStory:
    """Waits in vain."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def play(self) -> None:
        raise self.error


async def nobody() -> None:
    """Wait for no audience."""


async def play(error: Exception) -> None:
    story: Any = VainStory(error)
    background: Any = Background()
    await command._play(story, background, background, background, nobody())


async def test_act_that_waits_in_vain_is_told_as_one_sentence() -> None:
    with pytest.raises(StartError, match="the circuit did not open"):
        await play(StartError("the circuit did not open within 60 s"))


async def test_fault_of_the_demo_itself_stays_whole() -> None:
    with pytest.raises(ExceptionGroup):
        await play(ValueError("a fault"))
