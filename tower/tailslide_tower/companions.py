"""Work that goes on beside the publisher's over the same connection to NATS, and must never end it."""

from collections.abc import Awaitable, Callable

import nats.errors
import structlog
from nats.aio.client import Client

from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.errors import leaves
from tailslide_runtime.jetstream import Backoff

log = structlog.get_logger()

Work = Callable[[Client], Awaitable[None]]


async def beside(client: Client, name: str, work: Work) -> None:
    """Do `work` until cancelled, again after each time that NATS did not do as asked. Defects come out."""
    backoff = Backoff()
    while True:
        raise_if_cancelled()
        try:
            await work(client)
        except* (nats.errors.Error, TimeoutError, ConnectionError) as group:
            if backoff.failures == 0 and not client.is_closed:
                errors = [str(error) or type(error).__name__ for error in leaves(group)]
                log.warning("nats_work_failed", work=name, errors=errors)
        raise_if_cancelled()
        await backoff.wait()
