"""Which database fills the bucket, on real servers: a Tower on any other writes nothing until a person lets it."""

import asyncio

import pytest
from tower_bench import Tower, TowerBench, until

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import Claim, encode_circuit
from tailslide_core.effective_circuit import effective_circuit
from tailslide_core.naming import CIRCUITS_BUCKET, CLAIM_KEY
from tailslide_core.ruleset import Ruleset

FLAGS = "/apps/shop/flags"
REFUSED = (409, "NOT_PUBLISHING", None)


async def fill(bench: TowerBench, *keys: str, rollout: float = 100.0) -> dict[str, Ruleset]:
    """Make flags through a Tower that then stops; return what is published."""
    async with bench.tower() as tower:
        await tower.call("POST", "/apps", {"key": "shop"})
        for key in keys:
            await tower.ok("POST", FLAGS, {"key": key, "active": True, "rollout": rollout})
        await tower.until_published()
        return await bench.rulesets()


async def refused(tower: Tower) -> str:
    """Wait until a Tower says that it may not publish, and return the cause."""

    async def says_so() -> bool:
        return (await tower.call("GET", "/readyz")).body["not_publishing"] is not None

    await until(says_so)
    ready = await tower.call("GET", "/readyz")
    assert (ready.status, ready.body["published"]) == (200, False)
    assert "tailslide tower adopt" in ready.body["not_publishing"]["remedy"]
    cause = str(ready.body["not_publishing"]["cause"])
    metrics = (await tower.call("GET", "/metrics")).body.decode()
    assert f'tailslide_tower_not_publishing{{cause="{cause}"}} 1.0' in metrics
    return cause


async def test_a_tower_with_an_empty_database_changes_nothing_and_takes_no_changes(bench: TowerBench) -> None:
    before = await fill(bench, "one", "two")
    async with bench.another_database() as other, other.tower() as second:
        # At once, so before it has looked at the bucket: the change waits for that.
        assert (await second.call("POST", "/apps", {"key": "desk"})).error == REFUSED
        assert await refused(second) == "another_database"
        assert (await second.call("POST", "/apps", {"key": "desk"})).error == REFUSED
        assert (await second.ok("GET", "/apps"))["apps"] == []
        assert (await second.call("POST", "/nothing")).error[0] == 404
        assert (await second.call("POST", "/apps", Authorization="none")).status == 401
        status, output, errors = await other.adopt("--yes")
        assert (status, "this database has no apps" in errors) == (1, True)
        assert "2 flags would be deleted: shop.one, shop.two." in output
        assert await bench.rulesets() == before


async def test_nobody_is_told_that_a_key_is_good_or_revoked_where_no_server_hears_of_it(bench: TowerBench) -> None:
    await fill(bench, "one")
    async with bench.another_database() as other, other.tower() as second:
        await refused(second)
        await second.call("POST", "/apps", {"key": "shop"}, Tailslide_Unpublished="accept")
        keys, body = "/apps/shop/keys", {"name": "pods"}
        assert (await second.call("POST", keys, body)).error == REFUSED
        made = await second.call("POST", keys, body, Tailslide_Unpublished="accept")
        assert (made.status, made.headers["Tailslide-Unpublished"]) == (201, "another_database")
        key = f"{keys}/{made.body['id']}"
        assert (await second.call("DELETE", key)).error == REFUSED
        viewer = await second.ok("POST", "/tokens", {"name": "viewer", "role": "viewer"})
        answer = await second.call("DELETE", key, Authorization=f"Bearer {viewer['token']}")
        assert answer.error[:2] == (403, "FORBIDDEN")
        assert (await second.call("DELETE", key, Tailslide_Unpublished="accept")).status == 204


async def test_a_request_that_knows_is_carried_out_and_told_again(bench: TowerBench) -> None:
    before = await fill(bench, "one")
    async with bench.another_database() as other, other.tower() as second:
        await refused(second)
        answer = await second.call("POST", "/apps", {"key": "shop"}, Tailslide_Unpublished="accept")
        assert (answer.status, answer.headers["Tailslide-Unpublished"]) == (201, "another_database")
        answer = await second.call("POST", FLAGS, {"key": "other"}, Tailslide_Unpublished="accept")
        assert (answer.status, answer.headers["Tailslide-Unpublished"]) == (201, "another_database")
        assert await bench.rulesets() == before
        assert (await other.adopt("--yes"))[0] == 0
        await bench.until_rulesets(lambda rulesets: list(rulesets) == ["shop.other"])
        await second.until_published()
        answer = await second.call("POST", FLAGS, {"key": "third"}, Tailslide_Unpublished="accept")
        assert (answer.status, answer.headers.get("Tailslide-Unpublished")) == (201, None)


async def test_a_database_that_is_adopted_fills_the_bucket_and_the_other_stops(bench: TowerBench) -> None:
    await fill(bench, "one", "two")
    async with bench.another_database() as other:
        await bench.delete_bucket()
        await fill(other, "two", "three", rollout=5)  # while the first is away, and its bucket is lost
        before = await bench.rulesets()
        async with bench.tower() as first, other.tower() as second:
            assert await refused(first) == "another_database"
            status, output, errors = await bench.adopt()
            assert (status, "there is no terminal to ask at" in errors) == (1, True)
            assert [line for line in output.splitlines() if "would" in line] == [
                "1 flag would be added: shop.one.",
                "1 flag would be overwritten: shop.two.",
                "1 flag would be deleted: shop.three.",
                "0 flags would stay as they are.",
            ]
            assert "Of these, 1 is not older in the bucket: shop.two." in output
            assert await bench.rulesets() == before
            status, output, errors = await bench.adopt("--yes")
            assert (status, errors) == (0, "")
            after = await bench.rulesets()
            assert after.keys() == {"shop.one", "shop.two"}
            assert {ruleset.rollout for ruleset in after.values()} == {100.0}
            assert after["shop.two"].version > before["shop.two"].version
            await first.until_published()
            assert await refused(second) == "another_database"
            assert (await second.call("POST", f"{FLAGS}/two/toggle")).error == REFUSED
            await first.ok("PATCH", f"{FLAGS}/one", {"rollout": 7})
            await bench.until_rulesets(lambda rulesets: rulesets["shop.one"].rollout == 7.0)
        assert (await bench.adopt())[:2] == (
            0,
            "The bucket is filled by this database.\n2 flags would stay as they are.\n"
            "There is nothing to adopt: a running Tower makes the bucket equal by itself.\n",
        )
        again = await fill(bench, "three")
        assert again["shop.three"].version == before["shop.three"].version + 1, "it goes on from the deleted one"


async def test_adopting_without_nats_changes_nothing_and_says_which_url_to_set(bench: TowerBench) -> None:
    await fill(bench, "one")
    bench.servers.kill("nats")
    try:
        status, output, errors = await bench.adopt("--yes")
    finally:
        bench.servers.start("nats")
    assert (status, output) == (1, "")
    assert "Error: TAILSLIDE_NATS_URL: no NATS could be used at nats://" in errors
    assert "within 10 s, so nothing was changed; start it, or set the URL that Tower has" in errors


async def test_an_older_copy_writes_nothing_and_is_newer_once_it_has_adopted(bench: TowerBench) -> None:
    await fill(bench, "one", "two", "three")
    async with bench.another_database(copied=True) as copy:
        async with bench.tower() as tower:
            for rollout in (1, 2, 3):
                await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": rollout})
            await tower.delete_flag(f"{FLAGS}/two")
            await tower.ok("POST", FLAGS, {"key": "four"})
            await tower.until_published()
        async with bench.tower() as tower:
            await tower.until_published()
        before = await bench.rulesets()
        async with copy.tower() as restored:
            assert await refused(restored) == "older_database"
            assert await bench.rulesets() == before
            status, output, _ = await copy.adopt("--yes")
            assert status == 0
            assert "is an older copy of the one that fills the bucket" in output
            assert "Of these, 1 is not older in the bucket: shop.one." in output
            assert "1 flag would be deleted: shop.four." in output
            after = await bench.rulesets()
            assert after.keys() == {"shop.one", "shop.two", "shop.three"}
            assert (after["shop.one"].rollout, after["shop.one"].version) == (100.0, before["shop.one"].version + 1)
            await restored.until_published()
        async with bench.tower() as original:
            assert await refused(original) == "another_database"
            assert await bench.rulesets() == after


async def test_a_bucket_that_is_lost_is_filled_by_its_database_and_not_by_one_that_was_refused(
    bench: TowerBench,
) -> None:
    await fill(bench, "one", "two")
    async with bench.another_database() as other:
        claim = await bench.claim()
        assert claim is not None
        async with bench.tower() as tower, other.tower() as second:
            await tower.until_published()
            assert await refused(second) == "another_database"
            await second.call("POST", "/apps", {"key": "shop"}, Tailslide_Unpublished="accept")
            await second.call("POST", FLAGS, {"key": "theirs"}, Tailslide_Unpublished="accept")
            for lose in (bench.purge_bucket, bench.delete_bucket):
                await lose()
                await bench.until_rulesets(lambda rulesets: rulesets.keys() == {"shop.one", "shop.two"})
                await tower.until_published()
                again = await bench.claim()
                assert again is not None
                assert again.database == claim.database
                assert await refused(second) == "another_database"


async def test_a_bucket_from_before_there_were_claims_is_claimed_by_who_knows_all_of_it(bench: TowerBench) -> None:
    before = await fill(bench, "one", "two")
    async with bench.another_database() as other:
        await bench.delete_key(CLAIM_KEY)
        async with other.tower() as second:
            assert await refused(second) == "unknown_flags"
            assert await bench.claim() is None
            async with bench.tower() as tower:
                await tower.until_published()
                claim = await bench.claim()
                assert isinstance(claim, Claim)
                assert await bench.rulesets() == before

                async def says_whose() -> bool:
                    ready = (await second.call("GET", "/readyz")).body
                    return bool(ready["not_publishing"]["cause"] == "another_database")

                await until(says_whose)


async def test_two_towers_on_one_database_go_on_while_another_is_refused_and_while_it_is_adopted(
    bench: TowerBench,
) -> None:
    await fill(bench, "one", "two")
    async with (
        bench.another_database() as other,
        bench.tower() as first,
        bench.tower() as second,
        other.tower() as third,
    ):
        assert await refused(third) == "another_database"

        async def change(tower: Tower, key: str, rollout: int) -> None:
            await tower.ok("PATCH", f"{FLAGS}/{key}", {"rollout": rollout})

        changes = [
            change(tower, key, rollout)
            for rollout in range(20)
            for key, tower in (("one", first), ("two", second), ("one", second))
        ]
        await bench.put("rulesets", "shop.stray", b'{"version": 9}')
        _, (status, output, errors) = await asyncio.gather(asyncio.gather(*changes[::2]), bench.adopt("--yes"))
        # Flags may have changed between the question and the answer, which it then says.
        assert status == 0 or "meanwhile" in errors, errors
        await asyncio.gather(*changes[1::2])
        if status:
            status, output, errors = await bench.adopt("--yes")
        assert (status, "1 flag would be deleted: shop.stray." in output) == (0, True), errors
        for tower in (first, second):
            await tower.until_published()
        shown = {flag["key"]: flag for flag in (await first.ok("GET", FLAGS))["flags"]}
        rulesets = await bench.rulesets()
        assert {ruleset.key: ruleset.version for ruleset in rulesets.values()} == {
            key: flag["version"] for key, flag in shown.items()
        }
        assert (await second.call("PATCH", f"{FLAGS}/one", {"rollout": 50})).status == 200
        await bench.until_rulesets(lambda rulesets: rulesets["shop.one"].rollout == 50.0)


async def test_a_flag_that_is_newer_in_the_bucket_takes_no_change_and_the_others_do(bench: TowerBench) -> None:
    await fill(bench, "one", "two")
    async with bench.another_database(copied=True) as copy:
        newer = await fill(bench)
        async with bench.tower() as tower:
            await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 1})
            await tower.until_published()
            newer = await bench.rulesets()
        await copy.sql("UPDATE identity SET comparisons = 1000")  # as after a failover that has lost the last change
        async with copy.tower() as tower:

            async def left_alone() -> bool:
                return bool((await tower.call("GET", "/readyz")).body["left_alone"]["newer_in_bucket"]["count"])

            await until(left_alone)
            ready = (await tower.call("GET", "/readyz")).body
            assert (ready["published"], ready["not_publishing"]) == (False, None)
            assert ready["left_alone"]["newer_in_bucket"] == {"count": 1, "flags": ["shop.one"]}
            metrics = (await tower.call("GET", "/metrics")).body.decode()
            assert 'tailslide_tower_flags_left_alone{cause="newer_in_bucket"} 1.0' in metrics
            for method, path in (("PATCH", ""), ("POST", "/toggle"), ("POST", "/circuit/reset"), ("DELETE", "")):
                answer = await tower.call(method, f"{FLAGS}/one{path}")
                assert answer.error == (409, "NEWER_IN_BUCKET", "flag")
            await tower.ok("PATCH", f"{FLAGS}/two", {"rollout": 2})
            rulesets = await bench.until_rulesets(lambda rulesets: rulesets["shop.two"].rollout == 2.0)
            assert rulesets["shop.one"] == newer["shop.one"]
            assert (await copy.adopt("--yes"))[0] == 0
            await tower.until_published()  # it looks every second
            assert (await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 3}))["version"] == newer["shop.one"].version + 2


def open_since(reset_generation: int) -> Circuit:
    return Circuit(State.OPEN, 0.0, 1, 9, reset_generation, 1_000, 2_000)


async def put_verdict(bench: TowerBench, key: str, circuit: Circuit) -> None:
    await bench.put(CIRCUITS_BUCKET, f"shop.{key}", encode_circuit(circuit))


async def test_a_reset_works_at_the_first_press_whatever_the_verdict_counts(bench: TowerBench) -> None:
    async with bench.tower() as tower:
        await tower.ok("POST", "/apps", {"key": "shop"})
        await tower.ok("POST", FLAGS, {"key": "reset", "active": True})
        await tower.ok("POST", FLAGS, {"key": "on"})
        await tower.ok("POST", FLAGS, {"key": "added", "active": True, "circuit": None})
        await tower.until_published()
        for key in ("reset", "on", "added", "made"):
            await put_verdict(bench, key, open_since(40))
        await tower.ok("POST", f"{FLAGS}/reset/circuit/reset")
        await tower.ok("POST", f"{FLAGS}/on/toggle")
        await tower.ok("PATCH", f"{FLAGS}/added", {"circuit": {}})
        await tower.ok("POST", FLAGS, {"key": "made", "active": True})
        await tower.until_published()
        for key, ruleset in (await bench.rulesets()).items():
            effective = effective_circuit(ruleset, open_since(40))
            assert effective is not None
            assert effective.state is State.CLOSED, key
            assert ruleset.circuit is not None
            assert ruleset.circuit.reset_generation == 41
        # What changes nothing of that, leaves the number alone.
        assert (await tower.ok("PATCH", f"{FLAGS}/on", {"rollout": 5}))["circuit"]["reset_generation"] == 41
        await put_verdict(bench, "on", open_since(41))
        assert (await tower.ok("PATCH", f"{FLAGS}/on", {"rollout": 6}))["circuit"]["reset_generation"] == 41
        assert (await tower.ok("POST", f"{FLAGS}/on/circuit/reset"))["circuit"]["reset_generation"] == 42


@pytest.mark.parametrize("verdict", [b"{", b'{"schema": 9}', encode_circuit(open_since(2**53))])
async def test_a_verdict_that_is_broken_or_endless_keeps_nobody_from_a_reset(bench: TowerBench, verdict: bytes) -> None:
    async with bench.tower() as tower:
        await tower.ok("POST", "/apps", {"key": "shop"})
        await tower.ok("POST", FLAGS, {"key": "one"})
        await tower.until_published()
        await bench.put(CIRCUITS_BUCKET, "shop.one", verdict)
        for number in (1, 2):
            flag = await tower.ok("POST", f"{FLAGS}/one/circuit/reset")
            assert flag["circuit"]["reset_generation"] == number


async def test_a_reset_without_nats_raises_the_number_by_one(bench: TowerBench) -> None:
    async with bench.tower() as tower:
        await tower.ok("POST", "/apps", {"key": "shop"})
        await tower.ok("POST", FLAGS, {"key": "one"})
        await tower.until_published()
        await put_verdict(bench, "one", open_since(40))
        bench.servers.kill("nats")
        try:
            flag = await tower.ok("POST", f"{FLAGS}/one/circuit/reset")
            assert flag["circuit"]["reset_generation"] == 1
        finally:
            bench.servers.start("nats")
