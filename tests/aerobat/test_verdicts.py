import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import nats.errors
import pytest
from aerobat_court import FLAG, NOW_MS, SETTINGS, Court

from tailslide_aerobat.circuit_store import (
    EVENTS_MAX_AGE_S,
    ConflictError,
    InMemoryCircuitStore,
    LastEvent,
    WriteRefusedError,
)
from tailslide_aerobat.verdicts import Move
from tailslide_core.circuit import TRANSITIONS, Circuit, Signal, State, Transition, transition_between
from tailslide_core.contracts import CircuitEvent
from tailslide_core.naming import FlagId
from tailslide_runtime.bucket_watch import Entry, Listing

CLOSED = Circuit()
OPEN = Circuit(State.OPEN, 0.0, 1, 1, 0, NOW_MS, NOW_MS + 1_000)


def breach(revision: int | None = None) -> Move:
    return Move(FLAG, Transition(Signal.BREACH, NOW_MS, CLOSED, OPEN), revision)


async def test_the_circuit_is_written_and_the_event_published() -> None:
    court = Court().begin()
    await court.verdicts.write(breach())
    assert court.stored() == OPEN
    assert [event.transition.after for event in court.store.events] == [OPEN]


async def test_who_comes_second_writes_nothing_and_says_nothing() -> None:
    first = Court().begin()
    second = Court(first.series, first.store).begin()
    await first.verdicts.write(breach())
    await second.verdicts.write(breach())
    assert len(first.store.entries) == len(first.store.events) == 1
    assert second.metric("conflicts_total") == 1
    second.deliver()
    (flag,) = second.flags.judged()
    assert (flag.circuit, flag.revision) == (OPEN, 1)


async def test_two_judges_in_step_do_nothing_twice() -> None:
    first = Court().begin()
    second = Court(first.series, first.store).begin()
    for failures in [50] * 4 + [0] * 30:
        first.series.now_ms += 250
        first.series.add(FLAG, at_ms=first.series.now_ms - 1, success=10, failure=failures)
        for court in (first, second):
            await court.judge.tick(court.verdicts)
        first.deliver()
        second.deliver()
    generations = [event.transition.after.generation for event in first.store.events]
    assert generations == list(range(1, len(generations) + 1))
    assert first.stored() == first.store.events[-1].transition.after
    assert second.metric("conflicts_total") > 0


class HeldUp(InMemoryCircuitStore):
    """The store of an Aerobat that stands still before its next event."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.released = asyncio.Event(), asyncio.Event()
        self.waits = True

    async def publish(self, event: CircuitEvent, behind: int) -> int:
        if self.waits:
            self.waits = False
            self.reached.set()
            await self.released.wait()
        return await super().publish(event, behind)


@pytest.mark.parametrize("more_ticks", [0, 1, 6])
async def test_a_writer_that_was_held_up_publishes_nothing_twice(more_ticks: int) -> None:
    store = HeldUp()
    slow = Court(store=store).begin()
    writing = asyncio.ensure_future(slow.tick(failure=50))
    await store.reached.wait()
    other = Court(slow.series, store).begin()
    await other.verdicts.complete_events(other.series.now_ms, other.holders.owns)
    for _ in range(more_ticks):
        await other.tick(ms=1_000)
    told = list(store.events)
    store.released.set()
    await writing
    assert store.events == told
    generations = [event.transition.after.generation for event in told]
    assert generations == list(range(1, len(generations) + 1))
    # Whoever of the two moves it next, the chain goes on.
    other.deliver()
    slow.deliver()
    slow.put_settings(replace(SETTINGS, reset_generation=1))
    await slow.tick(ms=1_000)
    assert [event.transition.after.generation for event in store.events] == [*generations, len(generations) + 1]


async def test_events_that_were_lost_meanwhile_hold_nothing_up() -> None:
    court = Court().begin()
    await court.tick(failure=50)
    court.store.events.clear()
    await court.tick(ms=1_000)
    assert court.signals() == [Signal.DELAY_OVER]


async def made_again(*courts: Court) -> None:
    """Delete the flag and make it again, as Tower does: the number of its resets goes on."""
    for court in courts:
        court.deliver()
        court.delete()
    await courts[-1].tick()
    for court in courts:
        court.deliver()
        court.put_settings(replace(SETTINGS, reset_generation=1))


async def test_the_events_of_a_flag_that_was_made_again_begin_anew() -> None:
    """One Aerobat has published its first events, another the next and its end; then it is the first's again."""
    first = Court().begin()
    other = Court(first.series, first.store).begin()
    await first.tick(failure=50)
    other.deliver()
    for _ in range(3):
        await other.tick(ms=1_000)
    assert [event.transition.after.generation for event in first.store.events] == [1, 2, 3]
    await made_again(first, other)
    await first.tick()
    await first.tick(failure=50)
    assert [event.transition.after.generation for event in first.store.events] == [1, 2, 3, 1, 2]
    assert first.signals()[-2:] == [Signal.RESET, Signal.BREACH]


async def test_the_event_that_a_dead_writer_owed_of_a_flag_that_was_made_again_is_published() -> None:
    dead = Court().begin()
    await dead.tick(failure=50)
    await dead.tick(ms=1_000)
    await made_again(dead)
    dead.store.lose_events = True
    circuit = await dead.tick()
    dead.store.lose_events = False
    court = Court(dead.series, dead.store).begin()
    await court.verdicts.complete_events(court.series.now_ms, court.holders.owns)
    await court.verdicts.complete_events(court.series.now_ms, court.holders.owns)
    assert [event.transition.after.generation for event in court.store.events] == [1, 2, 1]
    (transition,) = (event.transition for event in court.store.events[2:])
    assert (transition.before, transition.after) == (Circuit(), circuit)


async def test_an_app_that_is_not_ours_is_left_to_its_owner() -> None:
    dead = Court().begin()
    dead.store.lose_events = True
    opened = await dead.tick(failure=50)
    dead.store.lose_events = False
    court = Court(dead.series, dead.store).begin()
    court.holders.released()
    court.store.entries.clear()
    court.flags.circuits.take(Listing({}))
    await court.verdicts.complete_events(court.series.now_ms, court.holders.owns)
    await court.verdicts.restore(court.holders.owns)
    assert (court.store.entries, court.store.events) == ([], [])
    court.holders.renewed()
    court.holders.refresh()
    await court.verdicts.restore(court.holders.owns)
    await court.verdicts.complete_events(court.series.now_ms, court.holders.owns)
    assert court.stored() == opened
    assert court.signals() == [Signal.BREACH]


async def test_who_connects_publishes_the_event_that_a_dead_writer_owed() -> None:
    dead = Court().begin()
    dead.store.lose_events = True
    await dead.tick(failure=50)
    assert dead.store.events == []
    dead.store.lose_events = False
    court = Court(dead.series, dead.store).begin()
    await court.verdicts.complete_events(court.series.now_ms, court.holders.owns)
    await court.verdicts.complete_events(court.series.now_ms, court.holders.owns)
    (event,) = court.store.events
    assert event.transition.signal is Signal.BREACH
    assert (event.transition.before, event.transition.after) == (CLOSED, dead.stored())
    assert court.metric("completed_events_total") == 1


async def test_a_bucket_made_anew_gets_its_verdicts_back() -> None:
    court = Court().begin()
    opened = await court.tick(failure=50)
    assert opened is not None
    court.store.entries.clear()
    court.begin()

    await court.verdicts.restore(court.holders.owns)

    assert court.stored() == opened
    assert court.signals() == [Signal.BREACH]


class Answering(InMemoryCircuitStore):
    """The store behind a connection on which something happens to the next answer."""

    happens: BaseException | None = None

    async def write(self, flag_id: FlagId, circuit: Circuit, revision: int | None) -> int:
        written = await super().write(flag_id, circuit, revision)
        if self.happens is not None:
            raise self.happens
        return written


@pytest.mark.parametrize(
    ("happens", "restored"),
    [
        (nats.errors.ConnectionClosedError(), OPEN),
        (TimeoutError(), OPEN),
        (asyncio.CancelledError(), OPEN),  # how the loss of a connection ends the work on it
        (ConflictError("another was first"), None),
        (WriteRefusedError("message size exceeds maximum allowed"), None),
        (None, OPEN),
    ],
)
async def test_verdict_without_an_answer_is_restored_and_a_refused_one_is_not(
    happens: BaseException | None, restored: Circuit | None
) -> None:
    store = Answering()
    court = Court(store=store).begin()
    store.happens = happens
    with suppress(nats.errors.ConnectionClosedError, TimeoutError, asyncio.CancelledError):
        await court.verdicts.write(breach())
    store.happens = None
    store.entries.clear()
    court.flags.disconnected()
    court.flags.circuits.made = datetime(2026, 11, 29, tzinfo=UTC)
    court.begin()

    await court.verdicts.restore(court.holders.owns)

    assert court.stored() == restored


async def test_before_moving_what_another_wrote_its_event_is_seen_to() -> None:
    dead = Court().begin()
    await dead.tick(failure=50)
    dead.store.lose_events = True
    await dead.tick(ms=1_000)
    dead.store.lose_events = False
    court = Court(dead.series, dead.store).begin()
    await court.tick(ms=2_000)
    assert court.signals() == [Signal.BREACH, Signal.DELAY_OVER, Signal.STEP_PASSED]
    generations = [event.transition.after.generation for event in court.store.events]
    assert generations == [1, 2, 3]


async def test_an_event_that_the_stream_has_outlived_is_not_missing() -> None:
    dead = Court().begin()
    await dead.tick(failure=50)
    dead.store.events.clear()
    court = Court(dead.series, dead.store).begin()
    await court.verdicts.complete_events(court.series.now_ms + EVENTS_MAX_AGE_S * 1000, court.holders.owns)
    assert court.store.events == []


async def test_deleting_what_another_has_moved_is_a_conflict() -> None:
    court = Court().begin()
    await court.verdicts.write(breach())
    await court.verdicts.delete(FLAG, 7)
    assert court.stored() == OPEN
    assert court.metric("conflicts_total") == 1


async def test_a_circuit_that_nobody_wrote_owes_no_event() -> None:
    court = Court().begin()
    await court.verdicts.complete_events(NOW_MS, court.holders.owns)
    assert court.store.events == []
    assert await court.store.last_event(FlagId("clinic", "invoices")) is None


async def test_the_transition_between_two_circuits_is_the_one_that_was() -> None:
    court = Court().begin()
    await court.tick(failure=50)
    for _ in range(5):
        await court.tick()
    await court.tick(failure=50)
    for _ in range(40):
        await court.tick(success=10)
    court.put_settings(replace(SETTINGS, reset_generation=1))
    await court.tick()
    assert set(court.signals()) == {signal for _, signal in TRANSITIONS}
    for event in court.store.events:
        was = event.transition
        guessed = transition_between(was.before, was.after)
        assert guessed.signal is was.signal
        # The time of a calm is not in the circuit; it is taken for the moment when it was due.
        assert guessed == (was if was.signal is not Signal.CALM else replace(was, at_ms=guessed.at_ms))
        assert guessed.at_ms <= was.at_ms


@pytest.mark.parametrize("state", list(State))
def test_where_more_than_one_event_is_missing_the_signal_leads_to_the_state(state: State) -> None:
    for before in State:
        transition = transition_between(Circuit(before), Circuit(state, generation=5))
        assert state in {target for (_, signal), target in TRANSITIONS.items() if signal is transition.signal}


BROKEN = b"[]"


def break_circuit(court: Court) -> None:
    court.store.entries.append(Entry(str(FLAG), BROKEN, len(court.store.entries) + 1))
    court.deliver()


async def replaced(court: Court, source: str) -> Circuit | None:
    (broken,) = court.flags.broken()
    await court.verdicts.replace(broken, NOW_MS)
    assert court.metric(f'replaced_circuits_total{{source="{source}"}}') == 1
    assert court.flags.broken() == []
    return court.stored()


async def test_what_cannot_be_read_is_replaced_by_what_was_known() -> None:
    court = Court().begin()
    await court.verdicts.write(breach())
    break_circuit(court)
    assert await replaced(court, "memory") == OPEN


async def test_what_cannot_be_read_is_replaced_by_what_the_last_event_says() -> None:
    court = Court().begin()
    await court.verdicts.write(breach())
    break_circuit(court)
    following = Court(court.series, court.store).begin()
    assert await replaced(following, "event") == OPEN


async def test_what_cannot_be_read_and_never_moved_is_closed_and_all_its_calls_count() -> None:
    court = Court().begin()
    court.put_settings(replace(SETTINGS, reset_generation=3))
    break_circuit(court)
    assert await replaced(court, "nothing") == Circuit(reset_generation=3)


async def test_what_cannot_be_read_with_an_event_that_cannot_be_either_is_closed_from_now_on() -> None:
    class UnreadableEvents(InMemoryCircuitStore):
        async def last_event(self, flag_id: FlagId) -> LastEvent | None:
            return LastEvent(None, 7)

    court = Court(store=UnreadableEvents()).begin()
    break_circuit(court)
    assert await replaced(court, "nothing") == Circuit(since_ms=NOW_MS)


async def test_two_who_replace_do_it_once() -> None:
    first = Court().begin()
    second = Court(first.series, first.store).begin()
    for court in (first, second):
        court.deliver()
    break_circuit(first)
    second.deliver()
    for court in (first, second):
        (broken,) = court.flags.broken()
        await court.verdicts.replace(broken, NOW_MS)
    assert len(first.store.entries) == 2
    assert second.metric("conflicts_total") == 1
    assert second.flags.broken(), "the watch brings what the first has written"
    second.deliver()
    assert second.flags.broken() == []


async def test_an_error_of_one_flag_ends_nothing_and_one_of_the_connection_comes_out() -> None:
    class Failing(InMemoryCircuitStore):
        error: Exception = WriteRefusedError("message size exceeds maximum allowed")

        async def write(self, flag_id: FlagId, circuit: Circuit, revision: int | None) -> int:
            if flag_id == FLAG:
                raise self.error
            return await super().write(flag_id, circuit, revision)

    store = Failing()
    court = Court(store=store).begin()
    other = FlagId(FLAG.app, "other")
    for flag_id in (FLAG, other):
        await court.verdicts.write(Move(flag_id, breach().transition, None))
    assert [entry.key for entry in store.entries] == [str(other)]
    assert court.metric("flag_errors_total") == 1
    store.error = nats.errors.TimeoutError()
    with pytest.raises(nats.errors.TimeoutError):
        await court.verdicts.write(breach())
