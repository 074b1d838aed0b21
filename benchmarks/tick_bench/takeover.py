"""Two Aerobats share the flags; one goes, and the other takes all: how long that takes.

By the other's `/readyz`, from the sending of the signal. What a circuit does meanwhile is not looked at here.
"""

import asyncio
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tailslide_runtime.errors import StartError
from tick_bench.servers import Aerobat, Servers

_POLL_S = 0.005
_TIMEOUT_S = 30.0


async def takeovers(servers: Servers, flags: int, number: signal.Signals, count: int) -> Sequence[float]:
    """Return the seconds of so many takeovers, one after the other; `number` is how an Aerobat is ended."""
    found: list[float] = []
    async with AsyncExitStack() as ending:
        staying = await servers.aerobat()
        ending.push_async_callback(staying.stop)
        for _ in range(count):
            going = await servers.aerobat()
            ending.push_async_callback(going.stop)
            owned = await _until_shared(staying, going, flags)
            began = time.perf_counter()
            going.send(number)
            await _until_owned(staying, flags)
            found.append(time.perf_counter() - began)
            assert 0 < owned < flags, "it had something to take over"
            await going.stop()
    return found


async def _until_shared(one: Aerobat, other: Aerobat, flags: int) -> int:
    """Wait until each flag is one's or the other's; return how many are the former's."""
    ended = time.monotonic() + _TIMEOUT_S
    while True:
        owned = [await _owned(aerobat) for aerobat in (one, other)]
        if sum(owned) == flags and all(owned):
            return owned[0]
        if time.monotonic() > ended:
            raise StartError(f"two Aerobats do not share {flags} flags after {_TIMEOUT_S:g} s: they own {owned}")
        await asyncio.sleep(_POLL_S)


async def _until_owned(aerobat: Aerobat, flags: int) -> None:
    ended = time.monotonic() + _TIMEOUT_S
    while (owned := await _owned(aerobat)) != flags:
        if time.monotonic() > ended:
            raise StartError(f"after {_TIMEOUT_S:g} s alone, an Aerobat owns {owned} of {flags} flags")
        await asyncio.sleep(_POLL_S)


async def _owned(aerobat: Aerobat) -> int:
    """Return how many flags it owns; none while it is not ready to judge them."""
    ready, said = await aerobat.ready()
    return int(said["flags_owned"]) if ready else 0
