"""kill -9 of each part at the worst moment: the loop goes on, or carries on where it was."""

import asyncio
import shutil

from scene import FLAG, Scene

from tailslide_core.circuit import State


async def test_aerobat_killed_while_open_and_while_recovering(scene: Scene) -> None:
    scene.services.new.break_down()
    opened = (await scene.until(State.OPEN)).circuit
    await scene.kill("aerobat")
    scene.services.new.heal()
    await scene.start("aerobat")
    assert scene.circuits.circuit == opened or scene.circuits.circuit.generation == opened.generation + 1

    await scene.until(State.RECOVERING)
    await scene.kill("aerobat")
    await scene.start("aerobat")

    closed = (await scene.until(State.CLOSED)).circuit
    assert closed.trips == 1
    generations = [verdict.circuit.generation for verdict in scene.circuits.verdicts]
    assert generations == list(range(generations[0], generations[0] + len(generations))), "no transition twice"


async def test_tower_and_postgresql_killed_before_the_feature_fails(scene: Scene) -> None:
    await scene.kill("tower", "postgres")

    scene.services.new.break_down()
    await scene.until(State.OPEN)
    scene.services.new.heal()
    await scene.until(State.RECOVERING)
    await scene.until(State.CLOSED)


async def test_redis_killed_freezes_the_circuit_and_lets_it_go_on(scene: Scene) -> None:
    scene.services.new.break_down()
    await scene.until(State.OPEN)
    scene.services.new.heal()
    await scene.kill("redis")
    answered, failed = scene.traffic.tally.total, scene.traffic.tally.failed
    while scene.traffic.tally.total < answered + 300:  # for longer than the recovery delay
        await asyncio.sleep(0.05)
    assert scene.circuits.circuit.state is State.OPEN
    assert scene.traffic.tally.failed == failed, "the proxy serves as ever"

    await scene.start("redis")
    await scene.until(State.RECOVERING)
    await scene.until(State.CLOSED)


async def test_nats_wiped_while_a_circuit_is_open(scene: Scene) -> None:
    scene.services.new.break_down()
    opened = (await scene.until(State.OPEN)).circuit
    await scene.kill("nats")
    shutil.rmtree(scene.loop.stack.data.path / "nats" / "jetstream")
    scene.services.new.heal()
    await scene.start("nats")

    await scene.until_circuit(lambda circuit: circuit.generation > opened.generation)
    await scene.until(State.CLOSED)
    async with asyncio.timeout(15):
        while (await scene.ask_sidecar("/v1/status"))[1]["flags_kept"]:
            await asyncio.sleep(0.1)
    scene.services.new.break_down()
    await scene.until(State.OPEN)


async def test_nats_killed_and_the_sidecar_restarted_without_it(scene: Scene) -> None:
    await scene.kill("nats")
    status, answer = await scene.ask_sidecar(f"/v1/flags/{FLAG}?targeting_key=user-1")
    assert (status, answer["active"]) == (200, True)
    status, readiness = await scene.ask_sidecar("/readyz")
    assert status == 200

    await scene.kill("sidecar")
    await scene.start("sidecar")

    status, answer = await scene.ask_sidecar(f"/v1/flags/{FLAG}?targeting_key=user-1")
    assert (status, answer["active"]) == (200, True)
    status, readiness = await scene.ask_sidecar("/readyz")
    assert (status, readiness["source"], readiness["connected"]) == (200, "snapshot", False)

    await scene.start("nats")
    async with asyncio.timeout(15):
        while (await scene.ask_sidecar("/readyz"))[1]["source"] != "jetstream":
            await asyncio.sleep(0.1)
    scene.services.new.break_down()
    await scene.until(State.OPEN)
