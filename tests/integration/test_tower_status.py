"""What needs attention, as a real Tower says it."""

from tower_bench import Tower, TowerBench, until

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import encode_circuit
from tailslide_core.naming import CIRCUITS_BUCKET

FLAGS = "/apps/shop/flags"


async def test_nothing_open_is_said(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one", "active": True})
    status = (await tower.call("GET", "/status")).whole
    assert status["sentence"] == "Nothing is open. No circuit has opened as far back as the log goes."
    assert status["flags"] == []


async def test_open_circuits_come_first_then_those_that_recover_then_those_held_off(
    bench: TowerBench, tower: Tower
) -> None:
    for key in ("fine", "recovering", "open", "off"):
        await tower.ok("POST", FLAGS, {"key": key, "active": key != "off"})
    await tower.ok("POST", FLAGS, {"key": "held", "active": True, "circuit": {"forced_open": True}})
    now_ms = 1_795_363_190_302
    for key, state, percentage in (
        ("recovering", State.RECOVERING, 30.0),
        ("open", State.OPEN, 0.0),
        ("off", State.OPEN, 0.0),
    ):
        circuit = Circuit(state, percentage, trips=1, generation=1, reset_generation=9, since_ms=now_ms)
        await bench.put(CIRCUITS_BUCKET, f"shop.{key}", encode_circuit(circuit))

    async def all_seen() -> bool:
        return len((await tower.call("GET", "/status")).whole["flags"]) == 3

    await until(all_seen)
    status = (await tower.call("GET", "/status?app=shop")).whole
    assert [(flag["key"], flag["state"]["settled"]) for flag in status["flags"]] == [
        ("open", "open"),
        ("recovering", "recovering"),
        ("held", "held_off"),
    ]
    assert status["sentence"] == "1 circuit is open, 1 circuit is recovering and 1 flag is held off by a person."
    assert (await tower.call("GET", "/status?app=bank")).error == (404, "APP_NOT_FOUND", "app"), "a misspelt app"
    await tower.ok("POST", "/apps", {"key": "bank"})
    assert (await tower.ok("GET", "/status?app=bank"))["flags"] == []


async def test_without_nats_it_says_what_cannot_be_known(bench: TowerBench, tower: Tower) -> None:
    await tower.until_published()
    bench.servers.kill("nats")
    try:

        async def told() -> bool:
            return any(
                "NATS cannot be reached" in each for each in (await tower.call("GET", "/status")).whole["troubles"]
            )

        await until(told)
    finally:
        bench.servers.start("nats")
