"""Turns, as an event loop gives them: what waits is called in the loop's next round, and not sooner."""

import asyncio

from tailslide_sidecar.turns import FREE_S, Turns


async def test_a_turn_is_over_when_its_time_is_spent_until_the_loop_has_looked_at_everything_else() -> None:
    turns = Turns(1.0)
    seen = []
    for seconds in (1.0, 0.5):
        turns.spent(seconds)
        seen.append(turns.is_over)
    await asyncio.sleep(0)
    assert [*seen, turns.is_over] == [False, True, False]


async def test_what_takes_next_to_no_time_is_not_added_up() -> None:
    turns = Turns(FREE_S)
    for _ in range(10):
        turns.spent(FREE_S)
    assert not turns.is_over


async def test_those_who_wait_have_their_turns_in_the_order_in_which_they_came() -> None:
    turns, order = Turns(1.0), list[str]()

    def takes(name: str, seconds: float) -> None:
        order.append(name)
        turns.spent(seconds)

    turns.wait(lambda: takes("a", 0.5))
    turns.wait(lambda: takes("b", 2.0))
    turns.wait(lambda: takes("c", 0.5))
    await asyncio.sleep(0)
    assert order == ["a", "b"]
    await asyncio.sleep(0)
    assert order == ["a", "b", "c"]


async def test_who_comes_back_waits_for_the_next_turn() -> None:
    turns, rounds = Turns(1.0), list[int]()

    def comes_back() -> None:
        rounds.append(len(rounds))
        turns.wait(comes_back)

    turns.wait(comes_back)
    await asyncio.sleep(0)
    assert rounds == [0]
    await asyncio.sleep(0)
    assert rounds == [0, 1]


async def test_tasks_wait_for_a_turn_that_is_not_over() -> None:
    turns, began = Turns(1.0), list[int]()

    async def work(number: int) -> None:
        await turns.mine()
        began.append(number)
        turns.spent(2.0)

    turns.spent(2.0)
    tasks = [asyncio.create_task(work(number)) for number in range(3)]
    seen = list[int]()
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        seen.append(len(began))
    assert began == [0, 1, 2]
    assert {1, 2, 3} <= set(seen)


async def test_tasks_have_their_turn_among_those_who_come_back_again_and_again() -> None:
    turns = Turns(1.0)

    def comes_back() -> None:
        turns.spent(2.0)
        turns.wait(comes_back)

    comes_back()
    async with asyncio.timeout(5):
        await turns.mine()
