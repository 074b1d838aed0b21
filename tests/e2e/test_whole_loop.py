"""The loop on real parts: a failing feature loses its users within moments and gets them back step by step."""

import asyncio

from nats.aio.client import Client
from nats.js.errors import NotFoundError
from scene import APP, FLAG, Scene

from tailslide_core.circuit import Circuit, Signal, State
from tailslide_core.contracts import CircuitEvent, decode_event
from tailslide_core.naming import EVENTS_STREAM, FlagId, event_subject
from tailslide_runtime.jetstream import Link
from tailslide_runtime.server_urls import NatsUrl

EVENT_TIMEOUT_S = 20.0


async def test_a_failing_feature_is_taken_out_and_comes_back(scene: Scene) -> None:
    new, old = scene.services.new, scene.services.old
    assert not old.arrivals, "a healthy flag at 100 % sends nobody to the fallback"

    new.break_down()
    opened = (await scene.until(State.OPEN)).circuit
    assert opened.reason is not None
    assert opened.reason.rule == "error_rate"
    assert opened.reason.lower_bound > 20

    new.heal()
    await scene.until(State.RECOVERING)
    closed = (await scene.until(State.CLOSED)).circuit

    steps = [v.circuit.percentage for v in scene.circuits.verdicts if v.circuit.state is State.RECOVERING]
    assert steps == [25, 50, 75]
    assert closed.trips == 1
    assert old.arrivals, "while the circuit was open, the fallback served"

    events = await _events_up_to(scene, closed)
    assert [event.transition.signal for event in events] == [
        Signal.BREACH,
        Signal.DELAY_OVER,
        Signal.STEP_PASSED,
        Signal.STEP_PASSED,
        Signal.RAMP_FINISHED,
    ]
    assert [event.transition.after.generation for event in events] == [1, 2, 3, 4, 5]


async def test_a_flag_turned_off_during_recovery_stays_off(scene: Scene) -> None:
    scene.services.new.break_down()
    await scene.until(State.OPEN)
    scene.services.new.heal()
    await scene.until(State.RECOVERING)

    await scene.loop.change_flag({"active": False})
    status, answer = await scene.ask_sidecar(f"/v1/flags/{FLAG}?targeting_key=user-1")
    while answer["reason"] != "DISABLED":
        status, answer = await scene.ask_sidecar(f"/v1/flags/{FLAG}?targeting_key=user-1")
    assert status == 200
    generation = scene.circuits.circuit.generation
    arrived = len(scene.services.new.arrivals)

    await scene.loop.change_flag({"active": True})
    closed = (await scene.until(State.CLOSED)).circuit

    assert closed.generation == generation + 1, "nothing moved the circuit while a person held the flag off"
    assert len(scene.services.new.arrivals) >= arrived


async def _events_up_to(scene: Scene, circuit: Circuit) -> list[CircuitEvent]:
    """Return all events once the one that led to `circuit` has come: it is published after the circuit is written."""
    async with asyncio.timeout(EVENT_TIMEOUT_S):
        while True:
            events = await _events(scene)
            if events and events[-1].transition.after.generation >= circuit.generation:
                return events


async def _events(scene: Scene) -> list[CircuitEvent]:
    found: list[CircuitEvent] = []
    subject = event_subject(FlagId(APP, FLAG))

    async def read(client: Client) -> None:
        js = client.jetstream()
        sequence = 1
        while True:
            try:
                message = await js.get_msg(EVENTS_STREAM, seq=sequence, subject=subject, next=True)
            except NotFoundError:
                return
            assert message.data is not None
            assert message.seq is not None
            found.append(decode_event(message.data))
            sequence = message.seq + 1

    await Link(NatsUrl.parse(scene.loop.stack.endpoints.nats_url), name="events").run(read)
    return found
