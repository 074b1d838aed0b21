"""Transitions of circuits as Aerobat publishes them, and the stream that they are published to."""

from contextlib import suppress
from dataclasses import replace

import nats.js.errors
from nats.aio.client import Client

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, Signal, State, Transition
from tailslide_core.contracts import CircuitEvent, encode_event
from tailslide_core.naming import EVENTS_STREAM, EVENTS_SUBJECTS, FlagId, event_message_id, event_subject
from tailslide_runtime.jetstream import ensure_stream

FLAG = FlagId("shop", "new-checkout")
AT_MS = 1_795_363_190_302
REASON = TripReason(TripRule.ERROR_RATE, 62.0, 53.1, 50.0, 141, 10_000)
CLOSED = Circuit()
OPEN = Circuit(State.OPEN, 0.0, 1, 1, 0, AT_MS, AT_MS + 30_000, REASON)
RECOVERING = replace(
    OPEN, state=State.RECOVERING, percentage=10.0, generation=2, since_ms=AT_MS + 30_000, next_ms=AT_MS + 35_000
)
STEP = replace(RECOVERING, percentage=20.0, generation=3, since_ms=AT_MS + 35_000, next_ms=AT_MS + 40_000)
RECOVERED = replace(STEP, state=State.CLOSED, percentage=100.0, generation=4, since_ms=AT_MS + 40_000, next_ms=None)

OPENED = Transition(Signal.BREACH, AT_MS, CLOSED, OPEN)
LIFE = (
    OPENED,
    Transition(Signal.DELAY_OVER, AT_MS + 30_000, OPEN, RECOVERING),
    Transition(Signal.STEP_PASSED, AT_MS + 35_000, RECOVERING, STEP),
    Transition(Signal.RAMP_FINISHED, AT_MS + 40_000, STEP, RECOVERED),
)
"""A trip and its recovery."""


def trip(number: int) -> Transition:
    """Return one of many different transitions."""
    after = replace(OPEN, generation=number, since_ms=AT_MS + number)
    return Transition(Signal.BREACH, AT_MS + number, CLOSED, after)


async def make_stream(client: Client) -> None:
    """Make the stream of events anew, as Aerobat does."""
    with suppress(nats.js.errors.NotFoundError):
        await client.jetstream().delete_stream(EVENTS_STREAM)
    await ensure_stream(client, EVENTS_STREAM, [EVENTS_SUBJECTS], max_age_s=3600)


async def publish(client: Client, transition: Transition, flag_id: FlagId = FLAG, *, again: bool = False) -> None:
    """Publish a transition; `again`, so that the stream does not know it for the same."""
    after = transition.after
    message_id = event_message_id(flag_id, after.generation, after.since_ms)
    headers = None if again else {"Nats-Msg-Id": message_id}
    await client.jetstream().publish(
        event_subject(flag_id), encode_event(CircuitEvent(flag_id, transition)), headers=headers
    )
