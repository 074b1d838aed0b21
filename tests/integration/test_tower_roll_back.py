"""Rolling a flag back through the API: a change like any other, which the log made possible."""

from tower_bench import Tower, TowerBench

FLAGS = "/apps/shop/flags"


async def test_flag_is_rolled_back_to_a_version_of_the_log(bench: TowerBench, tower: Tower) -> None:
    first = await tower.ok("POST", FLAGS, {"key": "one", "rollout": 25, "allow": ["u1"], "active": True})
    await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 50, "allow": [], "circuit": None})
    await tower.ok("POST", f"{FLAGS}/one/toggle", {"active": False})
    answer = await tower.call("POST", f"{FLAGS}/one/rollback", {"version": 1}, Tailslide_Reason="was better")
    rolled = answer.body
    assert answer.headers["ETag"] == '"4"'
    generation = rolled["circuit"]["reset_generation"]
    assert generation > first["circuit"]["reset_generation"]
    assert rolled == first | {
        "version": 4,
        "updated_at": rolled["updated_at"],
        "circuit": first["circuit"] | {"reset_generation": generation},
    }
    await bench.until_rulesets(lambda rulesets: rulesets["shop.one"].version == 4)
    newest = (await tower.ok("GET", f"{FLAGS}/one/log"))["entries"][0]
    assert (newest["action"], newest["details"], newest["reason"]) == ("flag.rolled_back", {"version": 1}, "was better")
    assert newest["sentence"].startswith(
        "environment rolled one back to version 1: turned on; rollout 50% → 25%; 1 user"
    )
    again = await tower.ok("POST", f"{FLAGS}/one/rollback", {"version": 1})
    assert again["version"] == 4


async def test_version_that_the_log_does_not_have_is_told(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 50})
    answer = await tower.call("POST", f"{FLAGS}/one/rollback", {"version": 7})
    assert answer.error == (404, "VERSION_NOT_FOUND", "version")
    assert answer.body["versions"] == [2, 1]
    assert "2, 1" in answer.body["detail"]
    await bench.sql("DELETE FROM log")
    answer = await tower.call("POST", f"{FLAGS}/one/rollback", {"version": 1})
    assert answer.error == (404, "VERSION_NOT_FOUND", "version")
    assert "before the log was kept" in answer.body["detail"]
    assert (await tower.call("POST", f"{FLAGS}/nothing/rollback", {"version": 1})).error == (
        404,
        "FLAG_NOT_FOUND",
        "flag",
    )


async def test_version_that_no_longer_fits_is_refused_with_its_field(tower: Tower) -> None:
    await tower.ok("POST", "/apps/shop/segments", {"key": "vip", "include": ["u1"]})
    await tower.ok("POST", FLAGS, {"key": "api"})
    rule = {"when": [{"operator": "in_segment", "values": ["vip"]}], "rollout": 100}
    await tower.ok("POST", FLAGS, {"key": "one", "rules": [rule], "requires": [{"flag": "api"}]})
    await tower.ok("PATCH", f"{FLAGS}/one", {"rules": []})
    await tower.ok("DELETE", "/apps/shop/segments/vip")
    answer = await tower.call("POST", f"{FLAGS}/one/rollback", {"version": 1})
    assert answer.error == (400, "INVALID", "rules[0].when[0].values[0]")
    await tower.ok("PATCH", f"{FLAGS}/one", {"requires": []})
    await tower.ok("PATCH", f"{FLAGS}/api", {"requires": [{"flag": "one"}]})
    answer = await tower.call("POST", f"{FLAGS}/one/rollback", {"version": 2})
    assert answer.error == (400, "INVALID", "requires[0].flag")
    assert (await tower.ok("GET", f"{FLAGS}/one"))["version"] == 3


async def test_rolling_back_needs_if_match(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    path = f"{FLAGS}/one/rollback"
    assert (await tower.call("POST", path, {"version": 1}, If_Match="")).error == (
        428,
        "PRECONDITION_REQUIRED",
        "If-Match",
    )
    stale = await tower.call("POST", path, {"version": 1}, If_Match='"7"')
    assert stale.error == (412, "PRECONDITION_FAILED", "If-Match")
    assert stale.body["current"]["version"] == 1
    assert (await tower.call("POST", path, {})).error == (400, "INVALID", "version")
    assert (await tower.call("POST", path, {"version": 0})).error == (400, "INVALID", "version")
