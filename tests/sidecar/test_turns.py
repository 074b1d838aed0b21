"""Time of the client is neither latency nor the upstream's timeout."""

import asyncio

import pytest

from tailslide_sidecar.turns import Turns


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def test_latency_is_the_upstream_s_time() -> None:
    clock = Clock()
    turns = Turns(clock, clock, 1.0)
    clock.now_s += 0.010
    turns.client_begins()
    clock.now_s += 5
    assert turns.latency_ms() == pytest.approx(10)
    turns.client_begins()
    clock.now_s += 5
    turns.client_ends()
    clock.now_s += 5
    turns.client_ends()
    clock.now_s += 0.020
    assert turns.latency_ms() == pytest.approx(30)


async def test_the_deadline_stands_still_while_the_client_is_waited_for() -> None:
    clock = Clock()
    turns = Turns(clock, clock, 2.0)
    async with asyncio.timeout(None) as deadline:
        await asyncio.sleep(0)
        turns.arm(deadline)
        assert deadline.when() == clock.now_s + 2
        turns.client_begins()
        assert deadline.when() is None
        clock.now_s += 60
        turns.client_ends()
        assert deadline.when() == clock.now_s + 2
        turns.disarm()
        deadline.reschedule(None)
        turns.client_begins()
        turns.client_ends()
        assert deadline.when() is None
