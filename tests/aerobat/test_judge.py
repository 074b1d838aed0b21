from collections.abc import Sequence
from dataclasses import replace

import pytest
from aerobat_court import FLAG, RULESET, SETTINGS, TICK_MS, Court
from hypothesis import given
from hypothesis import strategies as st

from tailslide_aerobat.flags import Judged
from tailslide_aerobat.judge import next_due
from tailslide_aerobat.timeseries import Marks, TimeSeriesError
from tailslide_core.circuit import Circuit, Signal, State
from tailslide_core.contracts import Lease, encode_lease
from tailslide_core.naming import FlagId, lease_key
from tailslide_core.rendezvous import owner_of
from tailslide_core.ruleset import Ruleset
from tailslide_runtime.bucket_watch import Entry, Listing


@pytest.fixture
def court() -> Court:
    return Court().begin()


async def opened(court: Court) -> Circuit:
    circuit = await court.tick(failure=50)
    assert circuit is not None
    assert circuit.state is State.OPEN
    return circuit


async def test_a_healthy_flag_is_left_alone(court: Court) -> None:
    for _ in range(20):
        assert await court.tick(success=20, failure=5) is None
    assert court.store.events == []
    assert court.judge.last_tick_ms == court.series.now_ms


async def test_errors_open_the_circuit(court: Court) -> None:
    for _ in range(4):
        await court.tick(success=20)
    circuit = await opened(court)
    assert (circuit.percentage, circuit.trips, circuit.generation) == (0, 1, 1)
    assert circuit.since_ms == court.series.now_ms
    (event,) = court.store.events
    assert (event.flag_id, event.transition.after) == (FLAG, circuit)
    assert court.metric('transitions_total{signal="breach"}') == 1


async def test_slow_calls_open_the_circuit(court: Court) -> None:
    court.put_settings(replace(SETTINGS, slow_call_ms=500, slow_threshold=80.0))
    circuit = await court.tick(success=100, slow=100)
    assert circuit is not None
    assert circuit.state is State.OPEN


async def test_it_recovers_step_by_step_and_forgets_in_the_end(court: Court) -> None:
    await opened(court)
    for _ in range(20):
        await court.tick(success=10)
    assert court.signals() == [
        Signal.BREACH,
        Signal.DELAY_OVER,
        Signal.STEP_PASSED,
        Signal.RAMP_FINISHED,
        Signal.CALM,
    ]
    circuit = court.stored()
    assert circuit is not None
    assert (circuit.state, circuit.trips, circuit.generation) == (State.CLOSED, 0, 5)


async def test_only_calls_since_the_last_transition_count(court: Court) -> None:
    await opened(court)
    for _ in range(3):
        await court.tick()
    recovering = await court.tick()
    assert recovering is not None
    assert recovering.state is State.RECOVERING
    assert await court.tick(success=3) == recovering


async def test_failing_in_recovery_opens_it_again_for_longer(court: Court) -> None:
    first = await opened(court)
    for _ in range(4):
        await court.tick()
    again = await court.tick(failure=50)
    assert again is not None
    assert (again.state, again.trips) == (State.OPEN, 2)
    assert first.next_ms is not None
    assert again.next_ms is not None
    assert again.next_ms - again.since_ms == 2 * (first.next_ms - first.since_ms)


async def test_without_counts_nothing_moves_and_everything_is_read_anew(court: Court) -> None:
    frozen = await opened(court)
    court.series.error = "connection refused"
    for _ in range(20):
        with pytest.raises(TimeSeriesError):
            await court.tick()
    assert court.stored() == frozen
    court.series.error = None
    await court.tick()
    assert court.series.read[-1] == (None, {FLAG})
    assert court.signals() == [Signal.BREACH, Signal.DELAY_OVER]


async def test_after_an_outage_a_recovery_step_waits_for_what_sidecars_have_kept(court: Court) -> None:
    await opened(court)
    for _ in range(4):
        recovering = await court.tick()
    assert recovering is not None
    assert recovering.state is State.RECOVERING
    court.series.error = "connection refused"
    with pytest.raises(TimeSeriesError):
        await court.tick()
    court.series.error = None
    for _ in range((3_000 + 500) // TICK_MS):
        assert await court.tick(success=1, ms=TICK_MS) == recovering
    stepped = await court.tick(success=1)
    assert stepped is not None
    assert stepped.percentage > recovering.percentage


async def test_what_sidecars_have_kept_during_an_outage_is_judged_before_the_step_ends(court: Court) -> None:
    await opened(court)
    for _ in range(4):
        recovering = await court.tick()
    assert recovering is not None
    court.series.error = "connection refused"
    court.series.now_ms += 10_000
    with pytest.raises(TimeSeriesError):
        await court.tick()
    court.series.error = None
    assert await court.tick(ms=2_000) == recovering
    court.series.add(FLAG, at_ms=recovering.since_ms + 5_000, failure=30)
    again = await court.tick()
    assert again is not None
    assert again.state is State.OPEN


async def test_a_tick_reads_only_what_is_new_and_only_of_busy_flags(court: Court) -> None:
    for _ in range(3):
        await court.tick()
    assert court.series.read == []
    await court.tick(success=5)
    await court.tick()
    begun_ms = (court.series.now_ms - TICK_MS) // 100 * 100
    assert court.series.read == [(None, {FLAG}), (begun_ms, {FLAG})]


async def test_a_clock_that_goes_back_is_read_anew_at_once(court: Court) -> None:
    await court.tick(success=5)
    await court.tick(ms=-60_000)
    assert court.series.read[-1] == (None, {FLAG})


async def test_calls_that_are_counted_late_are_judged_with_the_others(court: Court) -> None:
    """A sidecar that was cut off writes what it saw three minutes ago: 13 failures then and one now make 14."""
    await court.tick(failure=1)
    court.series.add(FLAG, at_ms=court.series.now_ms - 180_000, failure=13)
    circuit = await court.tick()
    assert circuit is not None
    assert circuit.reason is not None
    assert (circuit.state, circuit.reason.calls) == (State.OPEN, 14)
    assert court.series.read[-1] == (None, {FLAG})


async def test_late_calls_are_read_once(court: Court) -> None:
    await court.tick(success=1)
    court.series.add(FLAG, at_ms=court.series.now_ms - 180_000, failure=3)
    for _ in range(4):
        await court.tick()
    assert [from_ms for from_ms, _ in court.series.read].count(None) == 2


async def test_an_app_that_is_not_ours_is_left_alone_and_judged_whole_once_it_is(court: Court) -> None:
    workers = (f"worker-{number}" for number in range(100))
    stronger = next(worker for worker in workers if owner_of(FLAG.app, ["alone", worker]) == worker)
    other = Entry(lease_key(stronger), encode_lease(Lease(stronger, 1)), 1)
    court.holders.take(other)
    assert await court.tick(failure=50) is None
    assert court.series.read == []
    court.holders.take(Entry(other.key, None, 2))
    circuit = await court.tick()
    assert circuit is not None
    assert circuit.state is State.OPEN


async def recovering(court: Court) -> None:
    await opened(court)
    circuit = await court.tick(ms=1_000)
    assert circuit is not None
    assert circuit.state is State.RECOVERING


async def test_an_app_that_becomes_ours_while_we_look_waits_until_its_calls_are_read(court: Court) -> None:
    """No step of a recovery has passed for our not having read what spoke against it."""
    await recovering(court)
    foreign = Court(court.series, court.store).begin()
    foreign.holders.disconnected()
    court.series.now_ms += 1_000
    court.series.add(FLAG, failure=20)
    court.series.now_ms += 600
    marks = court.series.marks

    async def marks_while_the_last_owner_dies(apps: Sequence[str], from_ms: int | None) -> Marks:
        answer = await marks(apps, from_ms)
        foreign.begin()
        return answer

    court.series.marks = marks_while_the_last_owner_dies  # type: ignore[method-assign] # a twin with a story of its own
    await foreign.tick()
    await foreign.tick()
    assert court.signals()[-1] is Signal.BREACH


async def test_a_step_of_a_flag_that_comes_back_is_judged_by_its_calls(court: Court) -> None:
    """The bucket of rulesets was created again, and Tower fills it flag by flag, longer than marks are looked for."""
    await recovering(court)
    court.series.now_ms += 200
    court.series.add(FLAG, failure=20)
    court.flags.rulesets.take(Listing({}))
    court.put(replace(RULESET, key="other"))
    await court.tick(ms=2_500)
    await court.tick()
    court.put(RULESET)
    await court.tick()
    assert court.signals()[-1] is Signal.BREACH


async def test_what_was_counted_while_a_flag_had_no_circuit_is_known_of_it_afterwards(court: Court) -> None:
    await court.tick(failure=13)
    court.put(replace(RULESET, key="other"))
    court.put_settings(None)
    await court.tick(success=500)
    await court.tick()
    court.put_settings(SETTINGS)
    assert await court.tick(failure=1) is None
    assert court.series.read[-1] == (None, {FLAG})


async def test_a_flag_that_was_deleted_and_made_again_is_not_judged_by_what_was_before(court: Court) -> None:
    await opened(court)
    court.delete()
    await court.tick()
    # As Tower makes it: the number of its resets goes on.
    court.put_settings(replace(SETTINGS, reset_generation=1))
    for _ in range(3):
        circuit = await court.tick(success=2)
        assert circuit is not None
        assert circuit.state is State.CLOSED
    assert court.signals() == [Signal.BREACH, Signal.RESET]


async def test_circuits_that_wait_for_the_clock_are_told_of(court: Court, capsys: pytest.CaptureFixture[str]) -> None:
    await opened(court)
    for _ in range(3):
        circuit = await court.tick(ms=-60_000)
        assert circuit is not None
        assert circuit.state is State.OPEN
    await court.tick()
    told = [line for line in capsys.readouterr().out.splitlines() if "circuits_wait_for_clock" in line]
    assert len(told) == 3
    assert "wait_s=180" in told[-1]


async def test_before_both_listings_the_counts_are_read_and_nothing_is_judged() -> None:
    court = Court()
    await court.tick(failure=50)
    assert court.judge.readable
    assert court.judge.last_tick_ms is None
    court.begin()
    circuit = await court.tick()
    assert circuit is not None
    assert circuit.state is State.OPEN


@pytest.mark.parametrize(
    "held_off",
    [replace(RULESET, active=False), replace(RULESET, circuit=replace(SETTINGS, forced_open=True))],
)
async def test_a_flag_that_a_person_holds_off_is_not_judged(court: Court, held_off: Ruleset) -> None:
    court.put(held_off)
    assert await court.tick(failure=50) is None


async def test_a_reset_closes_without_any_calls(court: Court) -> None:
    await opened(court)
    court.put_settings(replace(SETTINGS, reset_generation=1))
    circuit = await court.tick()
    assert circuit is not None
    assert (circuit.state, circuit.trips, circuit.reset_generation) == (State.CLOSED, 0, 1)


async def test_a_reset_of_a_circuit_that_never_tripped_forgets_its_calls(court: Court) -> None:
    await court.tick(failure=13)
    court.put_settings(replace(SETTINGS, reset_generation=1))
    circuit = await court.tick()
    assert circuit is not None
    assert (circuit.state, circuit.reset_generation) == (State.CLOSED, 1)
    await court.tick(failure=13)
    assert court.signals() == [Signal.RESET]


async def test_a_reset_of_a_silent_closed_circuit_is_noted() -> None:
    court = Court().begin()
    await opened(court)
    for _ in range(20):
        await court.tick(success=10)
    for _ in range(2):
        await court.tick(ms=1_900_000)
    assert len(court.judge.counts) == 0
    court.put_settings(replace(SETTINGS, reset_generation=1))
    await court.tick()
    assert court.signals()[-1] is Signal.RESET


async def test_the_circuit_of_a_deleted_flag_is_deleted(court: Court) -> None:
    await opened(court)
    court.delete()
    assert await court.tick() is None
    await court.tick()
    assert len(court.store.entries) == 2


async def test_the_next_aerobat_carries_on_where_the_last_one_died(court: Court) -> None:
    """In each state the memory is lost and read back from the bucket; the story is that of one Aerobat."""
    await opened(court)
    court_now = court
    for _ in range(20):
        court_now = Court(court.series, court.store).begin()
        await court_now.tick(success=10)
    assert court_now.signals() == [
        Signal.BREACH,
        Signal.DELAY_OVER,
        Signal.STEP_PASSED,
        Signal.RAMP_FINISHED,
        Signal.CALM,
    ]


@given(st.integers(0, 10_000), st.integers(-300, 100_000), st.integers(50, 10_000))
def test_ticks_keep_their_rhythm_and_those_missed_are_left_out(due: int, passed: int, interval: int) -> None:
    following = next_due(due, due + passed, interval)
    assert following.at > due + passed
    assert following.at - (due + passed) <= interval + max(0, -passed)
    assert following.at == due + (following.skipped + 1) * interval
    assert following.skipped == max(0, passed // interval)


SLOW = replace(SETTINGS, slow_call_ms=500, slow_threshold=50.0)
OTHER = FlagId(FLAG.app, "invoices")
THIRD = FlagId("shop", "basket")


def ruleset_of(flag_id: FlagId) -> Ruleset:
    return replace(RULESET, app=flag_id.app, key=flag_id.flag)


def court_of_three() -> Court:
    return Court().begin(RULESET, ruleset_of(OTHER), ruleset_of(THIRD))


def states(court: Court) -> list[State | None]:
    circuits = [court.stored(flag_id) for flag_id in (FLAG, OTHER, THIRD)]
    return [None if circuit is None else circuit.state for circuit in circuits]


async def test_samples_that_are_no_counts_are_left_out_and_the_rest_is_judged() -> None:
    court = court_of_three()
    for count in (9 * 10**18, -5):
        court.series.add(FLAG, failure=count)
        court.series.add(OTHER, success=count, failure=30)
        await court.tick(ms=500)
    assert states(court) == [None, None, None]
    assert court.metric("refused_samples_total") == 4
    court.series.add(OTHER, failure=30)
    await court.tick(failure=30)
    assert states(court) == [State.OPEN, State.OPEN, None]
    assert court.metric("flag_errors_total") == 0


async def test_a_flag_whose_series_is_none_keeps_its_circuit_and_the_others_are_judged() -> None:
    court = court_of_three()
    await recovering(court)
    court.series.no_series.add(FLAG)
    for _ in range(40):
        court.series.add(OTHER, failure=10)
        await court.tick(success=10)
    assert states(court) == [State.RECOVERING, State.OPEN, None]
    assert 1 < court.metric("refused_keys_total") < 10, "it is tried again now and then, not with each tick"

    court.series.no_series.clear()
    court.series.now_ms += 2_000
    await court.tick()
    before = court.stored()
    assert before is not None
    for _ in range(8):
        await court.tick(success=10)
    after = court.stored()
    assert after is not None
    assert (before.state, after.generation) == (State.RECOVERING, before.generation + 2)


async def test_an_app_whose_marks_cannot_be_read_keeps_its_circuits_and_the_others_are_judged() -> None:
    court = court_of_three()
    await recovering(court)
    court.series.no_marks[FLAG.app] = "WRONGTYPE"
    for _ in range(20):
        court.series.add(FLAG, failure=10)
        court.series.add(OTHER, failure=10)
        court.series.add(THIRD, failure=10)
        await court.tick()
    assert states(court) == [State.RECOVERING, None, State.OPEN]
    assert court.metric("refused_keys_total") == 20

    del court.series.no_marks[FLAG.app]
    await court.tick()
    assert states(court) == [State.OPEN, State.OPEN, State.OPEN], "what was counted meanwhile is read"


async def test_a_step_waits_for_what_sidecars_still_have_when_marks_can_be_read_again() -> None:
    court = court_of_three()
    await recovering(court)
    court.series.no_marks[FLAG.app] = "WRONGTYPE"
    await court.tick(ms=2_000)
    del court.series.no_marks[FLAG.app]
    for _ in range((3_000 + 500) // TICK_MS - 1):
        circuit = await court.tick(success=1)
        assert circuit is not None
        assert circuit.percentage == 50
    for _ in range(2):
        circuit = await court.tick(success=1)
    assert circuit is not None
    assert circuit.percentage == 75


@pytest.mark.parametrize("where", ["_begins", "over"])
async def test_an_unexpected_error_in_one_flag_is_told_and_the_others_are_judged_in_the_same_tick(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    court = court_of_three()
    works = getattr(court.judge.counts, where)

    def fails(subject: FlagId | Judged, *rest: object) -> object:
        if FLAG in (subject, getattr(subject, "flag_id", None)):
            raise OverflowError("int too large to convert")
        return works(subject, *rest)

    monkeypatch.setattr(court.judge.counts, where, fails)
    for flag_id in (OTHER, THIRD):
        court.series.add(flag_id, failure=30)
    await court.tick(failure=30)
    assert states(court) == [None, State.OPEN, State.OPEN]
    assert court.metric("flag_errors_total") == 1
    told = capsys.readouterr().out
    assert "flag_failed" in told
    assert "OverflowError: int too large to convert" in told

    monkeypatch.undo()
    court.series.now_ms += 2_000
    await court.tick()
    assert states(court)[0] is State.OPEN, "nothing of it was lost"


async def test_a_value_that_cannot_be_read_is_replaced_and_judged_from_there() -> None:
    court = court_of_three()
    await opened(court)
    court.store.entries.append(Entry(str(FLAG), b"[]", len(court.store.entries) + 1))
    court.deliver()
    court.series.add(OTHER, failure=30)
    circuit = await court.tick()
    assert states(court)[:2] == [State.OPEN, State.OPEN]
    assert circuit == court.store.events[0].transition.after
    for _ in range(20):
        await court.tick(success=10)
    assert states(court)[0] is State.CLOSED


async def test_a_circuit_that_claims_to_be_of_the_far_future_begins_now() -> None:
    court = court_of_three()
    for flag_id, ahead_ms in ((FLAG, 2**52), (OTHER, 3_600_000)):
        circuit = Circuit(State.OPEN, 0.0, 1, 1, 0, court.series.now_ms + ahead_ms)
        await court.store.write(flag_id, circuit, None)
    court.deliver()
    dated = await court.tick()
    assert dated is not None
    assert (dated.state, dated.since_ms, dated.next_ms) == (
        State.OPEN,
        court.series.now_ms,
        court.series.now_ms + 1_000,
    )
    await court.tick(ms=1_000)
    await court.tick()
    assert states(court) == [State.RECOVERING, State.OPEN, None], "an hour is waited for"


anything = st.one_of(st.integers(), st.integers(0, 2**53), st.sampled_from([2**53, -1, 9 * 10**18, 2**63, 2**70]))


@given(
    st.lists(
        st.tuples(st.integers(0, 1_800_000), anything, anything, anything),
        max_size=30,
    )
)
async def test_whatever_is_in_the_series_of_one_flag_another_trips_in_the_same_tick(
    samples: list[tuple[int, int, int, int]],
) -> None:
    court = Court().begin(replace(RULESET, circuit=SLOW), ruleset_of(OTHER))
    for ago_ms, success, failure, slow in samples:
        at_ms = court.series.now_ms - ago_ms
        court.series.add(FLAG, at_ms=at_ms, success=success, failure=failure, slow=slow)
    court.series.add(OTHER, failure=30)
    await court.tick()
    assert states(court)[1] is State.OPEN
    assert court.metric("flag_errors_total") == 0
