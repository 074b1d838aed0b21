"""Transitions of circuits, from the stream of events into the log, each exactly once.

All Towers share one durable consumer, which hands out one event at a time: so they come into the log in the order of
the stream, whichever Tower takes them. An event is acknowledged after the commit of its entry. Who dies in between
leaves it to be delivered again, and what was noted of it in the same transaction tells that it is in the log already.

Waits while NATS, the stream or PostgreSQL is away; the stream keeps events for a month, so entries may come late. Their
`at` is the time of the transition.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from sqlalchemy.exc import DBAPIError

from tailslide_core.circuit import Signal
from tailslide_core.contracts import CircuitEvent, circuit_json, decode_event
from tailslide_core.errors import ContractError
from tailslide_core.naming import CIRCUIT_EVENTS_SUBJECTS, EVENTS_CONSUMER, EVENTS_STREAM, event_subject
from tailslide_core.sentences.transitions import Move, move_of
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import API_TIMEOUT_S, Backoff
from tailslide_runtime.tracing.context import PROPAGATOR, failed, recorded
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.metrics import EventResult, LogMetrics
from tailslide_tower.auth.principal import Author, Principal, PrincipalKind
from tailslide_tower.database import DatabaseUnavailableError

log = structlog.get_logger()
_tracer = trace.get_tracer("tailslide.tower")

AEROBAT = Author(Principal(PrincipalKind.SYSTEM, "aerobat", "Aerobat"))
"""The author of what circuits do by themselves."""

ACK_WAIT_S = 10.0
"""After so long an event is delivered again, to any Tower: longer than a commit takes at the worst."""
FETCH_S = 5.0
"""How long one request for the next event lasts. Then the consumer is asked for, which may be gone."""
RETRY_S = 1.0
MAX_ATTEMPTS = 5
"""So many times an event is tried that the database refuses; it must not hold up the others for ever."""
MAX_AT_MS = 253_402_300_799_999
"""The end of the year 9999, after which there are no dates."""

_MINOR = {Move.STEP, Move.CALM, Move.RESET, Move.UNKNOWN}
"""What the log of all hides: of a reset the one who asked for it has an entry."""


class EventStore(Protocol):
    """Who writes entries of events; raises `DatabaseUnavailableError`."""

    async def add(self, event: CircuitEvent, entry: LogEntry) -> bool:
        """Write the entry of an event; False when it is there already."""


def read_event(subject: str, data: bytes) -> CircuitEvent:
    """Return the event in a message; raise `ContractError` that names the field."""
    event = decode_event(data)
    if event_subject(event.flag_id) != subject:
        raise ContractError("flag", f"expected the flag that the subject names, got {event.flag_id}")
    if event.transition.at_ms > MAX_AT_MS:
        raise ContractError("at_ms", f"expected a time up to {MAX_AT_MS}, got {event.transition.at_ms}")
    return event


def entry_of(event: CircuitEvent) -> LogEntry:
    """Return the entry of a transition."""
    transition = event.transition
    move = move_of(transition)
    return LogEntry(
        f"circuit.{move}",
        Subject(SubjectKind.CIRCUIT, *event.flag_id),
        AEROBAT,
        before=circuit_json(transition.before),
        after=circuit_json(transition.after),
        details={
            "signal": transition.signal,
            "event_at_ms": transition.at_ms,
            "generation": transition.after.generation,
            **({"reason": circuit_json(transition.after)["reason"]} if transition.signal is Signal.BREACH else {}),
        },
        at_ms=transition.at_ms,
        minor=move in _MINOR,
    )


class CircuitEvents:
    """Takes events into the log while there is a connection to NATS."""

    def __init__(
        self,
        store: EventStore,
        metrics: LogMetrics,
        *,
        fetch_s: float = FETCH_S,
        ack_wait_s: float = ACK_WAIT_S,
        new_backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._fetch_s = fetch_s
        self._new_backoff = new_backoff
        self._consumer = ConsumerConfig(
            durable_name=EVENTS_CONSUMER,
            description="Transitions of circuits, for the log of Tower",
            filter_subject=CIRCUIT_EVENTS_SUBJECTS,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            max_deliver=-1,
            max_ack_pending=1,
        )

    async def serve(self, client: Client) -> None:
        """Take events until cancelled. Neither a missing stream nor a consumer that is gone ends it."""
        js = client.jetstream(timeout=API_TIMEOUT_S)
        backoff = self._new_backoff()
        while True:
            raise_if_cancelled()
            try:
                await js.add_consumer(EVENTS_STREAM, self._consumer)
                subscription = await js.pull_subscribe_bind(durable=EVENTS_CONSUMER, stream=EVENTS_STREAM)
                try:
                    if backoff.failures:
                        log.info("circuit_events_read_again")
                        backoff = self._new_backoff()
                    await self._take(subscription)
                finally:
                    with suppress(nats.errors.ConnectionClosedError):
                        await subscription.unsubscribe()
            except (nats.errors.Error, TimeoutError, OSError) as error:
                if backoff.failures == 0:
                    # Aerobat makes the stream; before it has run for the first time there is none.
                    log.info("circuit_events_not_read", error=str(error) or type(error).__name__)
                await backoff.wait()

    async def _take(self, subscription: JetStreamContext.PullSubscription) -> None:
        while True:
            raise_if_cancelled()
            try:
                messages = await subscription.fetch(1, timeout=self._fetch_s)
            except TimeoutError:
                # Silence: there is nothing new, or the stream was deleted; an error tells then.
                info = await subscription.consumer_info()
                self._metrics.events_waiting.set((info.num_pending or 0) + (info.num_ack_pending or 0))
                continue
            for message in messages:
                self._metrics.events_waiting.set(message.metadata.num_pending)
                await self._note(message)

    async def _note(self, message: Msg) -> None:
        try:
            event = read_event(message.subject, message.data or b"")
        except ContractError as error:
            await self._refuse(message, str(error))
            return
        named = {"feature_flag.key": event.flag_id.flag, "tailslide.app": event.flag_id.app}
        context = PROPAGATOR.extract(message.headers or {})
        with recorded(_tracer, "circuit event", context, kind=SpanKind.CONSUMER, attributes=named):
            await self._enter(message, event)

    async def _enter(self, message: Msg, event: CircuitEvent) -> None:
        span = trace.get_current_span()
        try:
            is_new = await self._store.add(event, entry_of(event))
        except DatabaseUnavailableError as error:
            failed(span, type(error).__name__)
            # Given back, so that another Tower, whose database may answer, gets it as well.
            log.warning("circuit_event_waits", flag=str(event.flag_id), error=str(error))
            await message.nak(delay=RETRY_S)
        except DBAPIError as error:
            failed(span, type(error).__name__)
            log.exception("circuit_event_failed", flag=str(event.flag_id))
            if message.metadata.num_delivered >= MAX_ATTEMPTS:
                await self._refuse(message, str(error.orig))
            else:
                await message.nak(delay=RETRY_S)
        else:
            self._metrics.events.labels(EventResult.WRITTEN if is_new else EventResult.REPEATED).inc()
            await message.ack()

    async def _refuse(self, message: Msg, why: str) -> None:
        self._metrics.events.labels(EventResult.REFUSED).inc()
        sequence = message.metadata.sequence.stream
        log.error("circuit_event_refused", subject=message.subject, sequence=sequence, error=why)
        await message.term()
