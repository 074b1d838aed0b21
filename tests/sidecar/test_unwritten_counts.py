"""Without servers, what was counted does not pile up."""

import asyncio

from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.unwritten_counts import UnwrittenCounts


async def test_what_was_counted_is_forgotten() -> None:
    buffer = OutcomeBuffer()
    buffer.add("f", "success", 3)
    counts, stop = UnwrittenCounts(buffer), asyncio.Event()
    stop_soon = asyncio.get_running_loop().call_soon(stop.set)
    await counts.run(stop)
    await counts.finish()
    assert (buffer.waiting, buffer.dropped, counts.connected, counts.problem) == (0, 0, False, None)
    assert not stop_soon.cancelled()
