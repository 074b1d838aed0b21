"""What flags say of each other and of segments, on a real PostgreSQL, also when two people change them at once."""

import asyncio

from tower_bench import Tower, TowerBench

from tailslide_core.preparation import MAX_CHAIN

FLAGS = "/apps/shop/flags"
SEGMENTS = "/apps/shop/segments"


async def make(tower: Tower, *keys: str) -> None:
    for key in keys:
        await tower.ok("POST", FLAGS, {"key": key})


def requires(*flags: str) -> dict[str, object]:
    return {"requires": [{"flag": flag} for flag in flags]}


def asks_for(*segments: object) -> dict[str, object]:
    return {"rules": [{"when": [{"operator": "in_segment", "values": list(segments)}], "rollout": 100}]}


async def test_a_flag_requires_flags_and_variants_that_there_are(tower: Tower) -> None:
    await make(tower, "one")
    await tower.ok("POST", "/apps", {"key": "desk"})
    await tower.ok("POST", "/apps/desk/flags", {"key": "theirs"})
    for flag in ("none", "theirs"):
        answer = await tower.call("POST", FLAGS, {"key": "two", **requires("one", flag)})
        assert answer.error == (400, "INVALID", "requires[1].flag")
    variants = {"requires": [{"flag": "one", "variants": ["blue", "on"]}]}
    assert (await tower.call("POST", FLAGS, {"key": "two", **variants})).error == (
        400,
        "INVALID",
        "requires[0].variants",
    )
    assert (await tower.call("POST", FLAGS, {"key": "two", **requires("two")})).error == (
        400,
        "INVALID",
        "requires[0].flag",
    )
    made = await tower.ok("POST", FLAGS, {"key": "two", "requires": [{"flag": "one", "variants": ["on"]}]})
    assert made["requires"] == [{"flag": "one", "variants": ["on"]}]
    assert await tower.ok("PATCH", f"{FLAGS}/two", {"rollout": 5}) == made | {
        "rollout": 5.0,
        "version": 2,
        "updated_at": (await tower.ok("GET", f"{FLAGS}/two"))["updated_at"],
    }


async def test_a_cycle_is_refused_and_shown(tower: Tower) -> None:
    await make(tower, "a", "b", "c")
    await tower.ok("PATCH", f"{FLAGS}/a", requires("b"))
    await tower.ok("PATCH", f"{FLAGS}/b", requires("c"))
    answer = await tower.call("PATCH", f"{FLAGS}/c", requires("a"))
    assert answer.error == (400, "INVALID", "requires[0].flag")
    assert "c → a → b → c" in answer.body["detail"]
    assert (await tower.ok("GET", f"{FLAGS}/c"))["requires"] == []
    # Turned round in two changes, it is none.
    await tower.ok("PATCH", f"{FLAGS}/a", requires())
    await tower.ok("PATCH", f"{FLAGS}/c", requires("a"))


async def test_a_row_of_flags_has_an_end(tower: Tower) -> None:
    keys = [f"f{n:02}" for n in range(MAX_CHAIN)]
    await make(tower, keys[0])
    for key, required in zip(keys[1:], keys, strict=False):
        await tower.ok("POST", FLAGS, {"key": key, **requires(required)})
    too_long = (400, "INVALID", "requires")
    assert (await tower.call("POST", FLAGS, {"key": "last", **requires(keys[-1])})).error == too_long
    await make(tower, "first")
    assert (await tower.call("PATCH", f"{FLAGS}/{keys[0]}", requires("first"))).error == too_long


async def test_what_others_require_is_neither_deleted_nor_changed_under_them(tower: Tower) -> None:
    colours = {"type": "string", "variants": {"a": "1", "b": "2", "c": "3"}, "off_variant": "a"}
    await tower.ok("POST", FLAGS, {"key": "one", **colours, "split": [{"variant": "b", "weight": 1}]})
    await tower.ok("POST", FLAGS, {"key": "two", "requires": [{"flag": "one", "variants": ["c"]}]})
    await tower.ok("POST", FLAGS, {"key": "three", **requires("one")})
    for method, path in (("DELETE", f"{FLAGS}/one"), ("POST", f"{FLAGS}/one/archive")):
        answer = await tower.call(method, path)
        assert answer.error == (409, "FLAG_IN_USE", "flag")
    assert "the flags 'three', 'two' require the flag 'one'" in answer.body["detail"]
    answer = await tower.call("PATCH", f"{FLAGS}/one", {"variants": {"a": "1", "b": "2"}})
    assert answer.error == (409, "FLAG_IN_USE", "variants")
    assert "the flag 'two' requires its variant 'c'" in answer.body["detail"]
    await tower.ok("PATCH", f"{FLAGS}/one", {"variants": {"b": "2", "c": "4", "a": "1", "d": "5"}})
    await tower.delete_flag(f"{FLAGS}/two")
    await tower.ok("PATCH", f"{FLAGS}/one", {"variants": {"a": "1", "b": "2"}})
    await tower.ok("PATCH", f"{FLAGS}/three", requires())
    await tower.delete_flag(f"{FLAGS}/one")


async def test_two_people_who_make_a_cycle_at_the_same_moment(bench: TowerBench, tower: Tower) -> None:
    await make(tower, "a", "b")
    async with bench.tower() as second:
        async with bench.held("shop") as until_waiting:
            changes = asyncio.gather(
                tower.call("PATCH", f"{FLAGS}/a", requires("b")), second.call("PATCH", f"{FLAGS}/b", requires("a"))
            )
            await until_waiting(2)
        answers = await changes
    assert sorted(answer.status for answer in answers) == [200, 400]
    refused = next(answer for answer in answers if answer.status == 400)
    assert refused.error == (400, "INVALID", "requires[0].flag")


async def test_a_flag_that_is_archived_at_the_moment_at_which_another_requires_it(
    bench: TowerBench, tower: Tower
) -> None:
    await make(tower, "a", "b")
    async with bench.held("shop") as until_waiting:
        archive = tower.call("POST", f"{FLAGS}/b/archive", {"force": True})
        changes = asyncio.gather(tower.call("PATCH", f"{FLAGS}/a", requires("b")), archive)
        await until_waiting(2)
    changed, archived = await changes
    assert (changed.status, archived.status) in {(200, 409), (400, 200)}


async def test_a_variant_that_is_taken_away_at_the_moment_at_which_another_flag_requires_it(
    bench: TowerBench, tower: Tower
) -> None:
    await make(tower, "a", "b")
    await tower.ok("PATCH", f"{FLAGS}/b", {"variants": {"on": True, "off": False, "also": True}})
    requirement = {"requires": [{"flag": "b", "variants": ["also"]}]}
    async with bench.held("shop") as until_waiting:
        changes = asyncio.gather(
            tower.call("PATCH", f"{FLAGS}/a", requirement), tower.call("PATCH", f"{FLAGS}/b", {"variants": None})
        )
        await until_waiting(2)
    required, taken = await changes
    assert (required.status, taken.status) in {(200, 409), (400, 200)}


async def test_what_says_nothing_of_others_waits_for_nobody(bench: TowerBench, tower: Tower) -> None:
    await make(tower, "a")
    async with bench.held("shop"):
        await make(tower, "b")
        await tower.ok("PATCH", f"{FLAGS}/a", {"rollout": 5})
        await tower.ok("POST", f"{FLAGS}/a/toggle")
        await tower.ok("POST", SEGMENTS, {"key": "vip"})
        await tower.ok("PATCH", f"{SEGMENTS}/vip", {"include": ["u1"]})


async def test_a_flag_asks_for_segments_that_there_are(tower: Tower) -> None:
    await tower.ok("POST", SEGMENTS, {"key": "vip"})
    await tower.ok("POST", "/apps", {"key": "desk"})
    await tower.ok("POST", "/apps/desk/segments", {"key": "theirs"})
    for segment in ("none", "theirs"):
        answer = await tower.call("POST", FLAGS, {"key": "one", **asks_for("vip", segment)})
        assert answer.error == (400, "INVALID", "rules[0].when[0].values[1]")
    await make(tower, "one")
    answer = await tower.call("PATCH", f"{FLAGS}/one", asks_for("none"))
    assert answer.error == (400, "INVALID", "rules[0].when[0].values[0]")
    await tower.ok("PATCH", f"{FLAGS}/one", asks_for("vip"))
    inner = {"when": [{"operator": "in_segment", "values": ["vip"]}]}
    assert (await tower.call("POST", SEGMENTS, {"key": "all", **inner})).error == (400, "INVALID", "when[0].operator")


async def test_a_segment_that_flags_use_is_not_deleted(tower: Tower) -> None:
    for key in ("vip", "staff"):
        await tower.ok("POST", SEGMENTS, {"key": key})
    for n in range(7):
        await tower.ok("POST", FLAGS, {"key": f"f{n}", **asks_for("staff", "vip")})
    answer = await tower.call("DELETE", f"{SEGMENTS}/vip")
    assert answer.error == (409, "SEGMENT_IN_USE", "segment")
    assert "the flags 'f0', 'f1', 'f2', 'f3', 'f4' and 2 more use the segment 'vip'" in answer.body["detail"]
    for n in range(7):
        await tower.ok("PATCH", f"{FLAGS}/f{n}", asks_for("staff"))
    assert (await tower.call("DELETE", f"{SEGMENTS}/vip")).status == 204


async def test_a_segment_that_is_deleted_at_the_moment_at_which_a_flag_asks_for_it(
    bench: TowerBench, tower: Tower
) -> None:
    await tower.ok("POST", SEGMENTS, {"key": "vip"})
    async with bench.held("shop") as until_waiting:
        changes = asyncio.gather(
            tower.call("POST", FLAGS, {"key": "a", **asks_for("vip")}), tower.call("DELETE", f"{SEGMENTS}/vip")
        )
        await until_waiting(2)
    made, deleted = await changes
    assert (made.status, deleted.status) in {(201, 409), (400, 204)}


async def test_conditions_are_negated_and_ignore_case(tower: Tower) -> None:
    condition = {"attribute": "country", "operator": "in", "values": ["DE"], "negate": True, "ignore_case": True}
    made = await tower.ok("POST", FLAGS, {"key": "a", "rules": [{"when": [condition], "rollout": 5}]})
    assert made["rules"][0]["when"] == [condition]
    assert await tower.ok("GET", f"{FLAGS}/a") == made
    without_attribute = {"when": [{"operator": "in", "values": ["x"]}], "rollout": 5}
    answer = await tower.call("PATCH", f"{FLAGS}/a", {"rules": [without_attribute]})
    assert answer.error == (400, "INVALID", "rules[0].when[0].attribute")
