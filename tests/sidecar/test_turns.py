"""Who works when, on an event loop that others use too."""

import asyncio
from functools import partial

from tailslide_sidecar.turns import Turns


async def test_what_does_not_fit_into_a_turn_waits_for_the_next_in_its_order() -> None:
    turns, told = Turns(0.01), list[str]()

    def work(name: str) -> None:
        told.append(name)
        turns.spent(0.006)

    work("a")
    work("b")  # which ends the turn
    for name in "cdefg":
        turns.wait(partial(work, name))
    for _ in range(4):
        told.append("|")
        await asyncio.sleep(0)
    assert "".join(told) == "ab|cd|ef|g|"


async def test_a_turn_is_over_until_the_loop_comes_round() -> None:
    turns = Turns(0.01)
    turns.spent(0.009)
    before = turns.is_over
    turns.spent(0.002)
    during = turns.is_over
    await asyncio.sleep(0)
    assert [before, during, turns.is_over] == [False, True, False]


async def test_who_waits_goes_on_though_nobody_else_works() -> None:
    turns, done = Turns(0.01), asyncio.Event()
    turns.wait(done.set)
    async with asyncio.timeout(5):
        await done.wait()


async def test_one_that_fails_takes_no_turn_away_from_the_others() -> None:
    turns, done, failed = Turns(0.01), asyncio.Event(), list[object]()

    def fail() -> None:
        raise ValueError("a defect")

    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context["exception"]))
    turns.wait(fail)
    turns.wait(done.set)
    async with asyncio.timeout(5):
        await done.wait()
    assert [str(error) for error in failed] == ["a defect"]
