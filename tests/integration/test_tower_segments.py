"""Segments on real servers: Tower's API, and what of them is in the bucket, in which order."""

import asyncio
from itertools import chain
from typing import Any

from tower_bench import Tower, TowerBench, until

from tailslide_core.contracts import Mark
from tailslide_core.flag_contracts import encode_segment
from tailslide_core.naming import mark_key
from tailslide_core.segment import MAX_MEMBERS, Segment

FLAGS = "/apps/shop/flags"
SEGMENTS = "/apps/shop/segments"
VIP = "shop._segments.vip"
MANY = [f"{n:040}" for n in range(MAX_MEMBERS)]
CONDITION = {"attribute": "country", "operator": "in", "values": ["DE"]}


def asks_for(*segments: str) -> list[dict[str, Any]]:
    return [{"when": [{"operator": "in_segment", "values": list(segments)}], "rollout": 100}]


async def test_a_segment_from_its_making_to_its_end(bench: TowerBench, tower: Tower) -> None:
    made = await tower.call("POST", SEGMENTS, {"key": "vip", "include": ["u2", "u1"], "when": [CONDITION]})
    assert (made.status, made.headers["ETag"], made.headers["Location"]) == (201, '"1"', f"/api/v1{SEGMENTS}/vip")
    assert made.body == {
        "app": "shop",
        "key": "vip",
        "version": 1,
        "description": "",
        "include": ["u1", "u2"],
        "exclude": [],
        "when": [CONDITION],
        "created_at": made.body["created_at"],
        "updated_at": made.body["created_at"],
        "warnings": [],
    }
    assert await tower.ok("GET", f"{SEGMENTS}/vip") == made.body
    changed = await tower.call("PATCH", f"{SEGMENTS}/vip", {"exclude": ["u3"], "description": "Our best"})
    assert (changed.status, changed.headers["ETag"], changed.body["include"]) == (200, '"2"', ["u1", "u2"])
    assert (await tower.ok("PATCH", f"{SEGMENTS}/vip", {"exclude": ["u3"]}))["version"] == 2
    listed = (await tower.ok("GET", SEGMENTS))["segments"]
    assert [(s["key"], s["version"], s["included"], s["excluded"], s["conditions"]) for s in listed] == [
        ("vip", 2, 2, 1, 1)
    ]
    assert listed[0]["when"] == made.body["when"]
    await tower.until_published()
    segment = (await bench.segments())[VIP]
    assert (segment.version, segment.include, segment.exclude) == (2, frozenset({"u1", "u2"}), frozenset({"u3"}))
    assert segment.updated_at == changed.body["updated_at"]

    assert (await tower.call("DELETE", f"{SEGMENTS}/vip")).status == 204
    assert (await tower.call("GET", f"{SEGMENTS}/vip")).error == (404, "SEGMENT_NOT_FOUND", "segment")
    await tower.until_published()
    assert (await bench.segment_entries())[VIP].value is None
    assert (await tower.ok("POST", SEGMENTS, {"key": "vip"}))["version"] == 3
    await tower.until_published()
    assert (await bench.segments())[VIP].version == 3


BAD: list[tuple[str, str, object, tuple[int, str, str | None]]] = [
    ("POST", SEGMENTS, {"key": "there"}, (409, "SEGMENT_EXISTS", "key")),
    ("POST", SEGMENTS, {"key": "_a"}, (400, "INVALID", "key")),
    ("POST", SEGMENTS, {"include": []}, (400, "INVALID", "key")),
    ("POST", SEGMENTS, {"key": "a", "include": [5]}, (400, "INVALID", "include[0]")),
    ("POST", SEGMENTS, {"key": "a", "include": [""]}, (400, "INVALID", "include[0]")),
    ("POST", SEGMENTS, {"key": "a", "include": ["a\0"]}, (400, "INVALID", "include[0]")),
    ("POST", SEGMENTS, {"key": "a", "colour": "red"}, (400, "INVALID", "colour")),
    ("POST", SEGMENTS, {"key": "a", "include": [*MANY, "one more"]}, (400, "INVALID", "include")),
    ("POST", SEGMENTS, {"key": "a", "when": [CONDITION | {"values": []}]}, (400, "INVALID", "when[0].values")),
    ("POST", "/apps/none/segments", {"key": "a"}, (404, "APP_NOT_FOUND", "app")),
    ("GET", "/apps/none/segments", None, (404, "APP_NOT_FOUND", "app")),
    ("GET", "/apps/none/segments/a", None, (404, "APP_NOT_FOUND", "app")),
    ("DELETE", "/apps/none/segments/a", None, (404, "APP_NOT_FOUND", "app")),
    ("PATCH", f"{SEGMENTS}/none", {"include": []}, (404, "SEGMENT_NOT_FOUND", "segment")),
    ("DELETE", f"{SEGMENTS}/none", None, (404, "SEGMENT_NOT_FOUND", "segment")),
    ("PATCH", f"{SEGMENTS}/there", {"key": "other"}, (400, "INVALID", "key")),
    ("PATCH", f"{SEGMENTS}/there", {"version": 7}, (400, "INVALID", "version")),
    ("GET", f"{SEGMENTS}/a..b", None, (400, "INVALID", "segment")),
    ("GET", f"{SEGMENTS}?limit=0", None, (400, "INVALID", "limit")),
    ("PUT", f"{SEGMENTS}/there", {}, (405, "METHOD_NOT_ALLOWED", None)),
    ("DELETE", "/apps/shop", None, (409, "APP_HAS_SEGMENTS", "app")),
]


async def test_each_bad_request_is_told_what_is_wrong_with_it(tower: Tower) -> None:
    there = await tower.ok("POST", SEGMENTS, {"key": "there"})
    for method, path, body, error in BAD:
        assert (await tower.call(method, path, body)).error == error, (method, path)
    assert await tower.ok("GET", f"{SEGMENTS}/there") == there
    assert len((await tower.ok("GET", SEGMENTS))["segments"]) == 1


async def test_a_change_that_expects_another_version_is_refused(tower: Tower) -> None:
    await tower.ok("POST", SEGMENTS, {"key": "vip"})
    path, stale = f"{SEGMENTS}/vip", (412, "PRECONDITION_FAILED", "If-Match")
    assert (await tower.call("PATCH", path, {"include": ["a"]}, If_Match='"1"')).status == 200
    assert (await tower.call("PATCH", path, {"include": ["b"]}, If_Match='"1"')).error == stale
    assert (await tower.call("DELETE", path, If_Match='"1"')).error == stale
    assert (await tower.call("DELETE", path, If_Match='"2"')).status == 204


async def test_members_that_are_added_at_the_same_time_are_all_there(tower: Tower) -> None:
    await tower.ok("POST", SEGMENTS, {"key": "vip", "include": ["first"]})
    members = f"{SEGMENTS}/vip/members"
    answers = await asyncio.gather(*(tower.call("POST", members, {"add": [f"u{n}"]}) for n in range(8)))
    assert sorted(answer.body["version"] for answer in answers) == list(range(2, 10))
    after = await tower.ok("POST", members, {"remove": ["first"]})
    assert after["include"] == [f"u{n}" for n in range(8)]
    assert (await tower.ok("POST", members, {"list": "exclude", "add": ["u3"]}))["exclude"] == ["u3"]
    assert (await tower.call("POST", members, {"list": "both"})).error == (400, "INVALID", "list")


async def test_pages(tower: Tower) -> None:
    keys = [f"s{n:02}" for n in range(12)] + ["A", "a.b", "a"]
    for key in keys:
        await tower.ok("POST", SEGMENTS, {"key": key})
    pages: list[list[str]] = []
    query = "?limit=6"
    while query:
        page = await tower.ok("GET", f"{SEGMENTS}{query}")
        pages.append([segment["key"] for segment in page["segments"]])
        query = f"?limit=6&after={page['next']}" if page["next"] else ""
    assert [len(page) for page in pages] == [6, 6, 3]
    assert list(chain.from_iterable(pages)) == sorted(keys)


async def test_ten_thousand_members_of_forty_characters(bench: TowerBench, tower: Tower) -> None:
    made = await tower.ok("POST", SEGMENTS, {"key": "vip", "include": MANY})
    assert made["include"] == MANY
    await tower.ok("PATCH", f"{SEGMENTS}/vip", {"description": "Many"})
    await tower.until_published()
    assert (await bench.segments())[VIP].include == frozenset(MANY)
    answer = await tower.call("PATCH", f"{SEGMENTS}/vip", {"exclude": ["one", "two"]})
    assert answer.error == (400, "INVALID", "include")
    assert "at most 10000 members in both lists together, got 10002" in answer.body["detail"]
    wide = [f"{n:05}{'ä' * 50}" for n in range(9_500)]
    answer = await tower.call("PATCH", f"{SEGMENTS}/vip", {"include": wide})
    assert answer.error == (400, "INVALID", "body")
    assert "at most 1000000 bytes as JSON, got 10" in answer.body["detail"]
    # Of four bytes each they are beyond any message, and yet it is the segment's bound that is named.
    answer = await tower.call("PATCH", f"{SEGMENTS}/vip", {"include": [f"{n:05}{'🎏' * 35}" for n in range(10_000)]})
    assert answer.error == (400, "INVALID", "body")
    assert "at most 1000000 bytes as JSON, got 14" in answer.body["detail"]
    largest = [f"{n:05}{'ä' * 50}" for n in range(9_200)]
    assert len((await tower.ok("PATCH", f"{SEGMENTS}/vip", {"include": largest}))["include"]) == 9_200
    await tower.until_published()
    assert (await bench.segments())[VIP].include == frozenset(largest)


async def test_segments_are_in_the_bucket_before_the_flags_that_ask_for_them_and_until_after(
    bench: TowerBench, tower: Tower
) -> None:
    keys = [f"s{n}" for n in range(5)]

    async def revision(key: str) -> int:
        await tower.until_published()
        return ({**await bench.entries(), **await bench.segment_entries()})[key].revision

    for key in keys:
        await tower.ok("POST", SEGMENTS, {"key": key, "include": MANY})
        await tower.ok("POST", FLAGS, {"key": key, "rules": asks_for(key)})
    for key in keys:
        assert await revision(f"shop._segments.{key}") < await revision(f"shop.{key}")
    for key in keys:
        await tower.ok("PATCH", f"{FLAGS}/{key}", {"rules": []})
        await tower.ok("DELETE", f"{SEGMENTS}/{key}")
    for key in keys:
        assert await revision(f"shop.{key}") < await revision(f"shop._segments.{key}")


async def test_a_segment_made_at_one_tower_is_there_before_the_flag_made_at_another(
    bench: TowerBench, tower: Tower
) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    async with bench.tower() as second:
        await second.until_published()
        for n in range(10):
            await tower.ok("POST", SEGMENTS, {"key": f"s{n}", "include": MANY})
            await second.ok("POST", FLAGS, {"key": f"s{n}", "rules": asks_for(f"s{n}")})
        await tower.until_published()
        await second.until_published()
    segments, flags = await bench.segment_entries(), await bench.entries()
    for n in range(10):
        assert segments[f"shop._segments.s{n}"].revision < flags[f"shop.s{n}"].revision


async def test_what_was_changed_while_nats_was_away_arrives_in_order(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", SEGMENTS, {"key": "old"})
    await tower.ok("POST", FLAGS, {"key": "one", "rules": asks_for("old")})
    await tower.until_published()
    bench.servers.kill("nats")
    try:
        await tower.ok("POST", SEGMENTS, {"key": "new", "include": MANY})
        await tower.ok("PATCH", f"{FLAGS}/one", {"rules": asks_for("new")})
        await tower.ok("DELETE", f"{SEGMENTS}/old")
    finally:
        bench.servers.start("nats")

    async def arrived() -> bool:
        return (await bench.segment_entries())["shop._segments.old"].value is None

    await until(arrived)
    segments, flags = await bench.segment_entries(), await bench.entries()
    revisions = [segments["shop._segments.new"], flags["shop.one"], segments["shop._segments.old"]]
    assert revisions == sorted(revisions, key=lambda entry: entry.revision)


async def test_a_wiped_bucket_is_filled_again_with_segments_before_the_mark(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    await tower.ok("POST", SEGMENTS, {"key": "vip", "include": MANY})
    await tower.until_published()
    await bench.delete_bucket()

    async def refilled() -> bool:
        mark = await bench.mark("shop")
        return mark is not None and mark.keys == 1

    await until(refilled)
    assert (await bench.segments())[VIP].include == frozenset(MANY)
    assert (await bench.rulesets()).keys() == {"shop.one"}
    everything = await bench._whole_bucket()
    assert everything[mark_key("shop")].revision > everything[VIP].revision
    assert isinstance(await bench.mark("shop"), Mark)


async def test_keys_of_a_later_tailslide_are_left_alone_and_are_nobody_s_worry(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    await tower.until_published()
    await bench.put("rulesets", "shop._later.thing", b"{}")
    async with bench.tower() as second:
        await second.until_published()
        ready = (await second.call("GET", "/readyz")).body
        assert ready["left_alone"]["unknown_to_database"] == {"count": 0, "flags": []}
    assert (await bench._whole_bucket())["shop._later.thing"].value == b"{}"


async def test_a_segment_that_is_newer_in_the_bucket_is_left_alone_until_the_bucket_is_adopted(
    bench: TowerBench, tower: Tower
) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    for key in ("vip", "same"):
        await tower.ok("POST", SEGMENTS, {"key": key})
    await tower.until_published()
    newer = Segment("shop", "vip", 9, include=frozenset({"x"}), updated_at="2030-01-01T00:00:00.000Z")
    await bench.put("rulesets", VIP, encode_segment(newer))
    await bench.put("rulesets", "shop._segments.strange", encode_segment(Segment("shop", "strange", 4)))
    async with bench.tower() as second:

        async def noticed() -> bool:
            ready = (await second.call("GET", "/readyz")).body
            return bool(ready["left_alone"]["newer_in_bucket"]["flags"] == [VIP])

        await until(noticed)
        assert (await second.call("PATCH", f"{SEGMENTS}/vip", {"include": ["a"]})).error == (
            409,
            "NEWER_IN_BUCKET",
            "segment",
        )
    status, said, _ = await bench.adopt("--yes")
    assert status == 0
    assert "1 segment would be overwritten: shop._segments.vip." in said
    assert "1 segment would be deleted: shop._segments.strange." in said
    assert "1 flag and 1 segment would stay as they are." in said
    entries = await bench.segment_entries()
    assert entries["shop._segments.strange"].value is None
    assert (await bench.segments())[VIP].version == 10
    async with bench.tower() as second:
        assert (await second.ok("POST", SEGMENTS, {"key": "strange"}))["version"] == 5
        assert (await second.ok("PATCH", f"{SEGMENTS}/vip", {"include": ["a"]}))["version"] == 11


async def test_a_row_that_is_not_valid_leaves_the_last_good_value(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", SEGMENTS, {"key": "vip", "include": ["a"]})
    await tower.until_published()
    before = await bench.segments()
    await bench.sql("UPDATE segments SET include = '[5]', version = version + 1 WHERE key = 'vip'")
    async with bench.tower() as second:
        await second.until_published()
        assert await bench.segments() == before
        assert (await second.call("GET", f"{SEGMENTS}/vip")).error == (500, "INTERNAL", None)


async def test_keys_that_contain_each_other_or_differ_by_case_are_flags_of_their_own(
    bench: TowerBench, tower: Tower
) -> None:
    for key in ("a", "a.b", "A"):
        made = await tower.ok("POST", FLAGS, {"key": key})
    warning = 'the app has a flag "{}" too, which differs only by upper and lower case'
    assert made["warnings"] == [warning.format("a")]
    assert (await tower.ok("GET", f"{FLAGS}/a"))["warnings"] == [warning.format("A")]
    assert (await tower.ok("GET", f"{FLAGS}/a.b"))["warnings"] == []
    assert [len(flag["warnings"]) for flag in (await tower.ok("GET", FLAGS))["flags"]] == [1, 1, 0]
    await bench.until_rulesets(lambda rulesets: rulesets.keys() == {"shop.a", "shop.a.b", "shop.A"})
    await tower.delete_flag(f"{FLAGS}/a")
    await bench.until_rulesets(lambda rulesets: rulesets.keys() == {"shop.a.b", "shop.A"})
    assert (await tower.ok("PATCH", f"{FLAGS}/a.b", {"rollout": 5}))["warnings"] == []
    await bench.until_rulesets(lambda rulesets: rulesets["shop.a.b"].rollout == 5.0)
    assert (await tower.ok("GET", f"{FLAGS}/A"))["warnings"] == []
