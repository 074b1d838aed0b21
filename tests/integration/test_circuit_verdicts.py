"""The circuit of a feature that is really called: it opens by each rule, lets users back in, and obeys people.

Calls go through a sidecar's proxy, verdicts are Aerobat's, whose own starts, ends and failures are in `test_aerobat`.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest
import pytest_asyncio
from verdict_stage import Play, Stage, Told, verdict_stage

from tailslide_core.breach import TripRule
from tailslide_core.bucketing import bucket_of, is_in
from tailslide_core.circuit import Signal, State, Transition
from tailslide_core.outcomes import StatusSet
from tailslide_core.ramp import RampProfile
from tailslide_core.ruleset import CircuitSettings, Recovery

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLOSED, OPEN, RECOVERING = State.CLOSED, State.OPEN, State.RECOVERING
LINEAR = Recovery(delay_ms=400, max_delay_ms=60_000, initial=25.0, increment=25.0, interval_ms=400)
EXPONENTIAL = replace(LINEAR, initial=10.0, increment=100.0, profile=RampProfile.EXPONENTIAL)
STAYS_OPEN = CircuitSettings(recovery=None)
FLAGS = (
    *("errors", "too-many", "slow", "reported", "linear", "exponential", "again"),
    *("turned-off", "allowed", "reset", "forced", "quiet"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with verdict_stage(*FLAGS) as running:
        yield running


def signals(transitions: list[Transition]) -> list[Signal]:
    return [transition.signal for transition in transitions]


def steps(transitions: list[Transition]) -> list[float]:
    """Return the percentages of a recovery, in order."""
    return [each.after.percentage for each in transitions if each.after.state is RECOVERING]


async def opened(play: Play) -> Transition:
    """Wait for the circuit to open for the first time; see that the feature is left alone from then on."""
    circuit = await play.until_state(OPEN)
    await play.until_asked(active=False, circuit="open")
    await play.until_told(20)  # those that were under way have ended
    arrived = len(play.feature.answers)
    await play.until_told(50)
    assert len(play.feature.answers) == arrived
    assert {(told.served, told.reason) for told in play.told[-50:]} == {("fallback", "CIRCUIT_OPEN")}
    (transition,) = await play.transitions()
    assert (transition.signal, transition.after) == (Signal.BREACH, circuit)
    assert circuit.trips == 1
    return transition


async def test_it_opens_by_the_error_rate(stage: Stage) -> None:
    play = await stage.play("errors", STAYS_OPEN)
    async with play.traffic():
        await play.until_told(100)
        assert await play.circuit() is None
        play.feature.status = lambda number: 200 if number % 4 == 0 else 503
        reason = (await opened(play)).after.reason
    assert reason is not None
    assert (reason.rule, reason.threshold) == (TripRule.ERROR_RATE, 50.0)
    assert 50 < reason.observed < 100
    counts = await play.accounts_for_all()
    assert reason.calls <= counts["success"] + counts["failure"]
    assert round(reason.observed * reason.calls / 100) <= counts["failure"]


async def test_it_opens_by_a_status_that_was_chosen_and_by_no_other(stage: Stage) -> None:
    play = await stage.play("too-many", replace(STAYS_OPEN, failure_statuses=StatusSet.parse(["429"])))
    play.feature.fails()
    async with play.traffic():
        await play.until_told(100)
        await stage.ticks(5)
        assert await play.circuit() is None
        assert (await play.counts())["failure"] == 0
        play.feature.status = lambda _: 429
        reason = (await opened(play)).after.reason
    assert reason is not None
    assert reason.rule is TripRule.ERROR_RATE
    counts = await play.accounts_for_all()
    assert counts["success"] == play.feature.answers.count(500) >= 100
    assert 0 < round(reason.observed * reason.calls / 100) <= counts["failure"]


async def test_it_opens_by_slow_calls(stage: Stage) -> None:
    play = await stage.play("slow", replace(STAYS_OPEN, slow_call_ms=100, slow_threshold=60.0))
    play.feature.delay_s = 0.11
    async with play.traffic():
        reason = (await opened(play)).after.reason
    assert reason is not None
    assert (reason.rule, reason.observed, reason.threshold) == (TripRule.SLOW_CALL_RATE, 100, 60)
    counts = await play.accounts_for_all()
    assert counts["failure"] == 0
    assert reason.calls <= counts["slow"] == counts["success"]


async def test_it_opens_by_outcomes_that_are_reported(stage: Stage) -> None:
    play = await stage.play("reported", STAYS_OPEN)
    reports = [{"outcome": "failure", "latency_ms": 12.5, "count": 90}, {"outcome": "success", "count": 10}]

    async def report() -> None:
        async with (
            stage.sidecar.flags() as session,
            session.post("/v1/flags/reported/outcomes", json=reports) as answer,
        ):
            assert (answer.status, await answer.json()) == (202, {"accepted": 100})

    await report()
    circuit = await play.until_state(OPEN)
    await play.until_asked(active=False, circuit="open")
    (transition,) = await play.transitions()
    assert transition.after == circuit
    reason = circuit.reason
    assert reason is not None
    assert (reason.rule, reason.observed, reason.calls) == (TripRule.ERROR_RATE, 90, 100)
    await report()  # while it is open: taken, and not counted towards it
    assert await stage.stale() == play.stale_before + 100
    assert await play.counts() == {"failure": 90, "success": 10, "slow": 0}


def let_in_as_promised(told: list[Told], salt: str, percentages: list[float]) -> None:
    """See that those who were let in belong there, and that nobody who was is left out again."""
    recovering = [each for each in told if each.circuit == "recovering"]
    let_in: set[str] = set()
    for each in recovering:
        bucket = bucket_of(salt, each.user)
        if each.active:
            let_in.add(each.user)
            assert is_in(bucket, 100, percentages[-1]), each
        else:
            assert each.user not in let_in, each
            assert not is_in(bucket, 100, percentages[0]), each
    assert let_in
    assert len(let_in) < len({each.user for each in recovering})


@pytest.mark.parametrize(
    ("flag", "recovery", "percentages"),
    [("linear", LINEAR, [25, 50, 75]), ("exponential", EXPONENTIAL, [10, 20, 40, 80])],
)
async def test_it_recovers_step_by_step(stage: Stage, flag: str, recovery: Recovery, percentages: list[float]) -> None:
    play = await stage.play(flag, CircuitSettings(recovery=recovery))
    play.feature.fails()
    async with play.traffic():
        first = await play.until_state(OPEN)
        play.feature.heals()
        closed = await play.until_state(CLOSED)
        await play.until_asked(active=True, circuit="closed")
        transitions = (await play.transitions())[: len(percentages) + 2]
        await play.until_told(50)
    assert signals(transitions) == [
        *(Signal.BREACH, Signal.DELAY_OVER),
        *[Signal.STEP_PASSED] * (len(percentages) - 1),
        Signal.RAMP_FINISHED,
    ]
    assert steps(transitions) == percentages
    assert transitions[-1].after.trips == closed.trips == 1
    let_in_as_promised(play.told, flag, percentages)
    assert {told.active for told in play.told[-20:]} == {True}
    waited = [later.at_ms - earlier.at_ms for earlier, later in pairwise(transitions)]
    assert waited[0] >= recovery.delay_ms
    assert all(recovery.interval_ms <= step_ms for step_ms in waited[1:])
    assert min(waited[1:]) < 3 * recovery.interval_ms, "a step with calls need not wait as long as one without"
    # Every event says why it all began, until that is forgotten.
    assert {transition.after.reason for transition in transitions} == {first.reason}
    await play.accounts_for_all()


async def test_it_opens_again_for_twice_as_long(stage: Stage) -> None:
    play = await stage.play("again", CircuitSettings(recovery=LINEAR))
    play.feature.fails()
    async with play.traffic():
        await play.until_circuit(lambda circuit: circuit.state is OPEN and circuit.trips == 3)
        play.feature.heals()
        await play.until_circuit(lambda circuit: circuit.state is RECOVERING and circuit.trips == 3)
        transitions = await play.transitions()
    trips = [transition for transition in transitions if transition.signal is Signal.BREACH]
    assert [transition.before.state for transition in trips] == [CLOSED, RECOVERING, RECOVERING]
    for number, transition in enumerate(trips):
        after = transition.after
        assert after.trips == number + 1
        assert after.next_ms == after.since_ms + LINEAR.delay_ms * 2**number
        assert after.reason is not None
        if transition.before.state is RECOVERING:
            assert after.reason.observed == 100, "each step is judged on its own calls"
            assert after.reason.calls <= len(play.feature.answers)
    over = [transition for transition in transitions if transition.signal is Signal.DELAY_OVER]
    assert len(over) == 3
    for number, transition in enumerate(over):
        assert transition.at_ms - transition.before.since_ms >= LINEAR.delay_ms * 2**number


async def test_what_a_person_turns_off_during_recovery_stays_off(stage: Stage) -> None:
    play = await stage.play("turned-off", CircuitSettings(recovery=LINEAR))
    play.feature.fails()
    async with play.traffic():
        await play.until_state(OPEN)
        play.feature.heals()
        await play.until_state(RECOVERING)
        await play.put(replace(play.ruleset, version=2, active=False))
        await play.until_asked(active=False, reason="DISABLED")
        await play.until_told(20)
        await stage.ticks(1)
        left = await play.circuit()
        arrived, told = len(play.feature.answers), len(play.told)
        await stage.ticks(3 * LINEAR.interval_ms // 100 + 5)  # longer than even a quiet step
        assert await play.circuit() == left
        assert len(play.feature.answers) == arrived
        assert {each.reason for each in play.told[told:]} == {"DISABLED"}
    assert (await play.transitions())[-1].after == left
    assert left is not None
    assert left.state is RECOVERING


async def test_who_is_allow_listed_is_let_in_throughout_recovery_and_not_while_it_is_open(stage: Stage) -> None:
    recovery = replace(LINEAR, initial=0.001, increment=50.0, interval_ms=600)
    play = await stage.play("allowed", CircuitSettings(recovery=recovery), allow={"vip"})
    play.feature.fails()
    async with play.traffic(lambda number: "vip" if number % 4 == 0 else f"u{number}"):
        await play.until_state(OPEN)
        play.feature.heals()
        await play.until_state(CLOSED)
        transitions = await play.transitions()
    assert steps(transitions) == [0.001, 50.001]
    vip = {(told.circuit, told.active) for told in play.told if told.user == "vip"}
    others = {(told.circuit, told.active) for told in play.told if told.user != "vip"}
    assert vip >= {("closed", True), ("open", False), ("recovering", True)}
    assert ("recovering", False) not in vip
    assert ("open", True) not in vip
    assert ("recovering", False) in others


async def test_a_reset_closes_at_once_also_before_aerobat_has_spoken(stage: Stage) -> None:
    play = await stage.play("reset", STAYS_OPEN)
    play.feature.fails()
    async with play.traffic():
        circuit = await play.until_state(OPEN)
        await play.until_asked(active=False, circuit="open")
        play.feature.heals()
        async with stage.silent_aerobat():
            await play.put(replace(play.ruleset, version=2, circuit=replace(STAYS_OPEN, reset_generation=1)))
            await play.until_asked(active=True, circuit="closed")
            arrived = len(play.feature.answers)
            await play.until_told(50)
            assert len(play.feature.answers) > arrived
            assert await play.circuit() == circuit
        closed = await play.until_state(CLOSED)
        assert signals(await play.transitions()) == [Signal.BREACH, Signal.RESET]
        assert (closed.trips, closed.reset_generation, closed.percentage, closed.reason) == (0, 1, 100, None)
        # What failed before the reset says nothing any more.
        await stage.ticks(5)
        assert await play.circuit() == closed
        play.feature.fails()
        again = await play.until_state(OPEN)
        assert again.trips == 1


async def test_forced_open_is_off_at_once_and_nobodys_verdict(stage: Stage) -> None:
    play = await stage.play("forced", CircuitSettings(recovery=LINEAR))
    async with play.traffic():
        await play.until_told(50)
        async with stage.silent_aerobat():
            await play.put(replace(play.ruleset, version=2, circuit=replace(play.settings, forced_open=True)))
            await play.until_asked(active=False, reason="CIRCUIT_OPEN", circuit="open")
            await play.until_told(20)
            arrived = len(play.feature.answers)
            await play.until_told(50)
            assert len(play.feature.answers) == arrived
        await stage.ticks(10)
        await play.put(replace(play.ruleset, version=3, circuit=replace(play.settings, forced_open=False)))
        await play.until_asked(active=True, circuit="closed")
        await play.until_told(50)
        assert len(play.feature.answers) > arrived
    assert await play.circuit() is None
    assert await play.transitions() == []


async def test_a_step_without_calls_waits_three_intervals(stage: Stage) -> None:
    recovery = replace(LINEAR, initial=50.0, interval_ms=300)
    play = await stage.play("quiet", CircuitSettings(recovery=recovery))
    async with (
        stage.sidecar.flags() as session,
        session.post("/v1/flags/quiet/outcomes", json={"outcome": "failure", "count": 50}) as answer,
    ):
        assert answer.status == 202
    await play.until_state(CLOSED)
    transitions = await play.transitions()
    assert steps(transitions) == [50, 75]
    assert signals(transitions[:4]) == [Signal.BREACH, Signal.DELAY_OVER, Signal.STEP_PASSED, Signal.RAMP_FINISHED]
    for transition in transitions[2:4]:
        assert transition.at_ms - transition.before.since_ms >= 3 * recovery.interval_ms
    assert play.feature.answers == []
