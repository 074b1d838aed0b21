"""What the state of a flag takes from the log, the series and the bucket of circuits, on real servers."""

from dataclasses import replace

from circuit_moves import FLAG, LIFE, OPEN, RECOVERED, RECOVERING, make_stream, publish
from counted_past import counted_past
from tower_bench import Tower, TowerBench, until

from tailslide_core.circuit import Circuit
from tailslide_core.contracts import encode_circuit
from tailslide_core.naming import CIRCUITS_BUCKET

APP, KEY = FLAG
PATH = f"/apps/{APP}/flags/{KEY}"


async def make_flag(tower: Tower) -> None:
    await tower.ok("POST", f"/apps/{APP}/flags", {"key": KEY, "active": True, "rollout": 25})


async def put_circuit(bench: TowerBench, circuit: Circuit) -> None:
    await bench.put(CIRCUITS_BUCKET, str(FLAG), encode_circuit(circuit))


async def test_circuit_is_said_with_its_reason_and_kept_after_it_has_closed(tower: Tower, bench: TowerBench) -> None:
    await bench.delete_bucket(CIRCUITS_BUCKET)
    await make_flag(tower)
    state = await tower.until_state(lambda state: state["published"] is True, KEY)
    assert (state["state"], state["circuit"]["state"], state["circuit"]["last_opening"]) == ("on", "closed", None)
    await put_circuit(bench, OPEN)
    state = await tower.until_state(lambda state: state["state"] == "open", KEY)
    assert state["word"] == "Open"
    assert "62% of 141 calls failed in 10 s; the threshold is 50%." in state["sentence"]
    assert state["circuit"]["reason"]["sentence"] == "62% of 141 calls failed in 10 s; the threshold was 50%."
    assert state["circuit"]["since"] == "2026-11-22T15:59:50.302Z"
    assert state["circuit"]["next"] == "2026-11-22T16:00:20.302Z"
    await put_circuit(bench, RECOVERING)
    state = await tower.until_state(lambda state: state["settled"] == "recovering", KEY)
    assert state["word"] == "Recovering · 10%"
    # Its trips are forgotten, and so is what the circuit itself has kept of the reason.
    await put_circuit(bench, replace(RECOVERED, trips=0, reason=None))
    state = await tower.until_state(lambda state: state["circuit"]["state"] == "closed", KEY)
    assert state["circuit"]["reason"] is None
    assert state["circuit"]["last_opening"]["at"] == "2026-11-22T15:59:50.302Z"
    assert state["circuit"]["last_opening"]["closed_at"] == "2026-11-22T16:00:30.302Z"
    await bench.delete_bucket(CIRCUITS_BUCKET)


async def test_last_opening_is_read_from_the_log_by_a_tower_that_has_not_seen_it(bench: TowerBench) -> None:
    async with bench.nats() as client:
        await make_stream(client)
        for transition in LIFE:
            await publish(client, transition)
    async with bench.tower() as tower:
        await tower.ok("POST", "/apps", {"key": APP})
        await make_flag(tower)
        state = await tower.until_state(
            lambda state: (state["circuit"]["last_opening"] or {}).get("closed_at") is not None, KEY
        )
    opening = state["circuit"]["last_opening"]
    assert (opening["at"], opening["closed_at"]) == ("2026-11-22T15:59:50.302Z", "2026-11-22T16:00:30.302Z")
    assert (opening["reason"]["calls"], opening["reason"]["rule"]) == (141, "error_rate")


async def test_whoever_turned_a_flag_off_is_named_with_the_reason(tower: Tower) -> None:
    await make_flag(tower)
    off = await tower.call("POST", f"{PATH}/toggle", {"active": False}, Tailslide_Reason="payments incident")
    said = off.whole["state"]["sentence"]
    assert said.startswith("Turned off by environment less than 1 s ago: “payments incident”.")
    await tower.ok("PATCH", PATH, {"description": "another change of a flag that is off"})
    assert "“payments incident”" in (await tower.state(KEY))["sentence"]
    await tower.ok("POST", f"{PATH}/toggle", {"active": True})
    held = await tower.call("PATCH", PATH, {"circuit": {"forced_open": True}}, Tailslide_Reason="too slow")
    assert held.whole["state"]["settled"] == "held_off"
    assert held.whole["state"]["sentence"].startswith("Held off by environment (forced open) for ")
    assert "“too slow”" in held.whole["state"]["sentence"]
    made = await tower.call("POST", f"/apps/{APP}/flags", {"key": "another"})
    assert made.whole["state"]["sentence"].startswith("Off since it was created by environment ")
    flags = (await tower.call("GET", f"/apps/{APP}/flags")).whole["flags"]
    assert [flag["state"]["settled"] for flag in flags] == ["off", "held_off"]


async def test_archived_flag_says_so_and_is_published_when_it_is_gone_from_the_bucket(tower: Tower) -> None:
    await make_flag(tower)
    await tower.until_state(lambda state: state["published"] is True, KEY)
    await tower.call("POST", f"{PATH}/archive", {"force": True}, Tailslide_Reason="nobody uses it")
    state = await tower.until_state(lambda state: state["published"] is True, KEY)
    assert (state["settled"], state["word"]) == ("off", "Archived")
    assert state["sentence"].startswith("Archived by environment less than 1 s ago: “nobody uses it”. Sidecars do not")
    await tower.ok("POST", f"{PATH}/restore")
    await tower.until_state(lambda state: state["published"] is True and state["word"] == "On · 25%", KEY)
    await tower.ok("POST", f"/apps/{APP}/archive", {"force": True})
    state = await tower.until_state(lambda state: state["published"] is True, KEY)
    assert state["sentence"].startswith("Archived less than 1 s ago.")


async def test_flag_in_a_bucket_of_another_database_is_not_published(tower: Tower, bench: TowerBench) -> None:
    await make_flag(tower)
    await tower.until_published()
    async with bench.another_database() as other, other.tower() as stranger:
        for path, body in (("/apps", {"key": APP}), (f"/apps/{APP}/flags", {"key": KEY, "active": True})):
            answer = await stranger.call("POST", path, body, Tailslide_Unpublished="accept")
            assert answer.status == 201, answer
        # The bucket has a flag of this name and version, from elsewhere.
        state = await stranger.until_state(lambda state: "is not this database's" in state["sentence"], KEY)
        assert (state["published"], state["state"], state["settled"]) == (False, "arriving", "on")
    assert (await tower.state(KEY))["published"] is True


async def test_calls_of_the_last_seconds_are_said_beside_the_threshold(tower: Tower, bench: TowerBench) -> None:
    await make_flag(tower)
    quiet = (await tower.state(KEY))["sentence"]
    assert "No calls in the last 10 min." in quiet
    async with counted_past(bench.redis_url, APP) as past:
        await past.seconds(KEY, 120, 1, good=4, bad=4)
        assert "50% of 8 calls failed in the last 10 min; it opens at 50%." in (await tower.state(KEY))["sentence"]
        await past.seconds(KEY, 3, 3, good=9, bad=1)

        async def said() -> bool:
            return "10% of 30 calls failed in the last 10 s; it opens at 50%." in (await tower.state(KEY))["sentence"]

        await until(said)
        now_ms = await past.series.now_ms()
        step = replace(RECOVERING, percentage=30.0, since_ms=now_ms - 60_000, next_ms=now_ms + 60_000)
        await put_circuit(bench, step)
        state = await tower.until_state(lambda state: state["settled"] == "recovering", KEY)
        assert "10% of 30 calls failed in this step; it opens again at 50%." in state["sentence"]
    await bench.delete_bucket(CIRCUITS_BUCKET)


async def test_without_redis_the_sentence_says_that_calls_are_not_known(bench: TowerBench) -> None:
    bench.redis_url = "redis://127.0.0.1:1"
    async with bench.tower() as tower:
        await tower.ok("POST", "/apps", {"key": APP})
        await make_flag(tower)
        state = await tower.state(KEY)
    assert "How its calls go is not known: the time series cannot be read." in state["sentence"]
