import asyncio

import pytest

from tailslide_runtime.cancellation import raise_if_cancelled


async def test_a_swallowed_cancellation_is_raised_anew() -> None:
    async def loop() -> None:
        while True:
            raise_if_cancelled()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue  # as wait_for does

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_timeout_that_was_dealt_with_is_no_cancellation() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    raise_if_cancelled()


def test_outside_of_tasks_nothing_is_cancelled() -> None:
    async def main() -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def callback() -> None:
            raise_if_cancelled()
            done.set_result(None)

        asyncio.get_running_loop().call_soon(callback)
        await done

    asyncio.run(main())
