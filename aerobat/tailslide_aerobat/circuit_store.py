"""Where circuits and their events are written: a port, JetStream behind it, and a twin in memory for tests.

Writes are compare-and-set; what to write is decided in `judge`, in which order in `verdicts`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, Protocol

import nats.errors
import structlog
from nats.aio.client import Client
from nats.js.api import Header
from nats.js.errors import APIError, BadRequestError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from tailslide_core.circuit import Circuit
from tailslide_core.contracts import CircuitEvent, decode_event, encode_circuit, encode_event
from tailslide_core.errors import ContractError
from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    EVENTS_STREAM,
    EVENTS_SUBJECTS,
    FlagId,
    bucket_stream,
    bucket_subject,
    event_message_id,
    event_subject,
)
from tailslide_runtime.bucket_watch import Entry
from tailslide_runtime.jetstream import API_TIMEOUT_S, WRONG_LAST_SEQUENCE, ensure_bucket, ensure_stream
from tailslide_runtime.tracing.context import PROPAGATOR

log = structlog.get_logger()

EVENTS_MAX_AGE_S = 30 * 86_400


CONNECTION_ERRORS = (nats.errors.Error, OSError, TimeoutError)
"""What a connection is given up for; everything else that a write raises is about its flag alone."""


class WriteRefusedError(Exception):
    """JetStream did not take this value, and would not take it a second time; the text says why."""


class ConflictError(Exception):
    """The value is not the one that the decision was based on; somebody else was first."""


NO_EVENT = 0
"""The sequence of the latest event where there is none."""


@dataclass(frozen=True, slots=True)
class LastEvent:
    """The latest event of a flag, None when it cannot be read, and its sequence in the stream."""

    event: CircuitEvent | None
    sequence: int


class CircuitStore(Protocol):
    """The bucket of circuits and the stream of events."""

    async def write(self, flag_id: FlagId, circuit: Circuit, revision: int | None) -> int:
        """Replace the value of that revision, None for none, and return the new one; raise `ConflictError`."""

    async def delete(self, flag_id: FlagId, revision: int) -> int:
        """Delete the value of that revision, and return that of the deletion; raise `ConflictError`."""

    async def publish(self, event: CircuitEvent, behind: int) -> int:
        """Publish a transition right behind that event of the flag, `NO_EVENT` for none, and return its sequence.

        Raises `ConflictError` when that is not the latest event any more.
        """

    async def last_event(self, flag_id: FlagId) -> LastEvent | None:
        """Return the latest transition that was published."""


class JetStreamCircuitStore:
    """JetStream, over one connection. Fails closed: the errors of nats-py come out, and end the connection's work."""

    def __init__(self, client: Client, bucket: KeyValue) -> None:
        self._js = client.jetstream(timeout=API_TIMEOUT_S)
        self._bucket = bucket

    @classmethod
    async def open(cls, client: Client) -> "JetStreamCircuitStore":
        """Make the bucket and the stream where they are missing."""
        await ensure_bucket(client, CIRCUITS_BUCKET)
        await ensure_stream(client, EVENTS_STREAM, [EVENTS_SUBJECTS], max_age_s=EVENTS_MAX_AGE_S)
        return cls(client, await client.jetstream(timeout=API_TIMEOUT_S).key_value(CIRCUITS_BUCKET))

    async def made(self) -> datetime | None:
        """Return when the bucket was made; the errors of nats-py come out."""
        return (await self._js.stream_info(bucket_stream(CIRCUITS_BUCKET))).created

    async def write(self, flag_id: FlagId, circuit: Circuit, revision: int | None) -> int:
        """Compare and set."""
        value = encode_circuit(circuit)
        try:
            if revision is None:
                return await self._bucket.create(str(flag_id), value)
            return await self._bucket.update(str(flag_id), value, last=revision)
        except (KeyWrongLastSequenceError, APIError) as error:
            _raise(error)

    async def delete(self, flag_id: FlagId, revision: int) -> int:
        """Compare and delete. Not by KeyValue.delete, which tells neither of the conflict nor of the revision."""
        headers = {"KV-Operation": "DEL", Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision)}
        try:
            answer = await self._js.publish(bucket_subject(CIRCUITS_BUCKET, str(flag_id)), headers=headers)
        except APIError as error:
            _raise(error)
        return answer.seq

    async def publish(self, event: CircuitEvent, behind: int) -> int:
        """Compare and append; the message id tells those who read the stream, too, what is the same transition."""
        after = event.transition.after
        headers = {
            Header.MSG_ID.value: event_message_id(event.flag_id, after.generation, after.since_ms),
            Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(behind),
        }
        PROPAGATOR.inject(headers)  # the trace, if there is one, goes on where the event is read
        try:
            answer = await self._js.publish(event_subject(event.flag_id), encode_event(event), headers=headers)
        except APIError as error:
            _raise(error)
        return answer.seq

    async def last_event(self, flag_id: FlagId) -> LastEvent | None:
        """Ask for the last message of the flag's subject."""
        try:
            message = await self._js.get_last_msg(EVENTS_STREAM, event_subject(flag_id))
        except NotFoundError:
            return None
        sequence = message.seq or NO_EVENT
        try:
            return LastEvent(decode_event(message.data or b""), sequence)
        except ContractError as error:
            log.warning("last_event_refused", flag=str(flag_id), error=str(error))
            return LastEvent(None, sequence)


def _raise(error: KeyWrongLastSequenceError | APIError) -> NoReturn:
    """Raise what an error of JetStream means to a writer; the error itself when it is about more than one flag."""
    if isinstance(error, KeyWrongLastSequenceError) or error.err_code in WRONG_LAST_SEQUENCE:
        raise ConflictError(str(error)) from error
    if isinstance(error, BadRequestError):
        raise WriteRefusedError(str(error)) from error
    raise error


class InMemoryCircuitStore:
    """The twin: `entries` are what a watch would deliver, in order; `events` what was published."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.events: list[CircuitEvent] = []
        self.lose_events = False
        """Drop events instead of publishing them, as a writer does that dies before it comes to it."""

    def value(self, flag_id: FlagId) -> Entry | None:
        """Return the latest entry of a flag, deletions included."""
        return next((entry for entry in reversed(self.entries) if entry.key == str(flag_id)), None)

    async def write(self, flag_id: FlagId, circuit: Circuit, revision: int | None) -> int:
        """Compare and set."""
        known = self.value(flag_id)
        exists = known is not None and known.value is not None
        if (known.revision if exists and known is not None else None) != revision:
            raise ConflictError(str(flag_id))
        return self._append(flag_id, encode_circuit(circuit))

    async def delete(self, flag_id: FlagId, revision: int) -> int:
        """Compare and delete."""
        known = self.value(flag_id)
        if known is None or known.revision != revision:
            raise ConflictError(str(flag_id))
        return self._append(flag_id, None)

    def _append(self, flag_id: FlagId, value: bytes | None) -> int:
        self.entries.append(Entry(str(flag_id), value, len(self.entries) + 1))
        return len(self.entries)

    async def publish(self, event: CircuitEvent, behind: int) -> int:
        """Compare and append."""
        if self.lose_events:
            return behind
        last = await self.last_event(event.flag_id)
        if behind != (NO_EVENT if last is None else last.sequence):
            raise ConflictError(str(event.flag_id))
        self.events.append(event)
        return len(self.events)

    async def last_event(self, flag_id: FlagId) -> LastEvent | None:
        """Return the latest event of a flag."""
        numbered = [LastEvent(event, number) for number, event in enumerate(self.events, 1) if event.flag_id == flag_id]
        return numbered[-1] if numbered else None
