"""Cancellations that must not get lost: for loops that only a cancellation ends."""

import asyncio


def raise_if_cancelled() -> None:
    """Raise `CancelledError` if the present task was asked to end and an await on the way has swallowed that.

    Before Python 3.12 `asyncio.wait_for`, which the clients of NATS and Redis are built on, forgets a cancellation
    that comes while its own await is just done (https://github.com/python/cpython/issues/86296). A loop that calls
    this once a round ends all the same, instead of keeping whoever waits for its end. Where a round ends with a long
    wait, the call belongs right before that.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
