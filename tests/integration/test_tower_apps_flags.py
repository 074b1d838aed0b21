"""What people note of apps and flags, defaults of new flags, reasons that an app asks for, lists that are filtered."""

from typing import Any

import pytest
from tower_bench import Tower, TowerBench

FLAGS = "/apps/shop/flags"


async def keys(tower: Tower, query: str = "", path: str = "/flags") -> list[str]:
    flags = (await tower.ok("GET", f"{path}?{query}"))["flags"]
    return [f"{flag['app']}.{flag['key']}" for flag in flags]


@pytest.fixture
async def catalogue(tower: Tower) -> Tower:
    """Two apps with a few flags."""
    await tower.ok("POST", "/apps", {"key": "desk"})
    for app, flag in (
        (
            "shop",
            {"key": "new-checkout", "name": "New checkout", "tags": ["Payment", "q3"], "owner": "Ada@example.org"},
        ),
        ("shop", {"key": "dark-mode", "description": "For tired eyes: 100 % ÜBERZEUGT", "active": True}),
        ("shop", {"key": "old", "tags": ["payment"]}),
        ("desk", {"key": "new-desk", "tags": ["q3"], "active": True}),
    ):
        await tower.ok("POST", f"/apps/{app}/flags", flag)
    await tower.ok("POST", f"{FLAGS}/old/archive", {"force": True})
    return tower


async def test_app_says_what_it_is(tower: Tower) -> None:
    fields = {"name": "Desk", "description": "Front desk", "service": "desk", "environment": "staging"}
    made = await tower.ok("POST", "/apps", {"key": "desk", **fields})
    assert {name: made[name] for name in fields} == fields
    assert (made["defaults"], made["requires_reason"], made["archived_at"]) == ({}, False, None)
    changed = await tower.ok("PATCH", "/apps/desk", {"environment": "production", "service": None})
    assert (changed["environment"], changed["service"], changed["name"]) == ("production", None, "Desk")
    assert (await tower.ok("PATCH", "/apps/desk", {"environment": "production"}))["version"] == 2
    assert [app["key"] for app in (await tower.ok("GET", "/apps?q=PRODUC"))["apps"]] == ["desk"]


async def test_new_flag_is_as_the_apps_defaults_have_it(tower: Tower) -> None:
    defaults = {"rollout": 5.0, "tags": ["new"], "circuit": {"min_calls": 50, "recovery": {"initial": 1.0}}}
    app = await tower.ok("PATCH", "/apps/shop", {"defaults": defaults})
    assert app["defaults"] == defaults
    made = await tower.ok("POST", FLAGS, {"key": "one", "tags": ["mine"], "circuit": {"recovery": {"increment": 2}}})
    assert (made["rollout"], made["tags"], made["circuit"]["min_calls"]) == (5.0, ["mine"], 50)
    assert (made["circuit"]["recovery"]["initial"], made["circuit"]["recovery"]["increment"]) == (1.0, 2.0)
    assert (await tower.ok("POST", FLAGS, {"key": "two", "circuit": None}))["circuit"] is None
    await tower.ok("PATCH", "/apps/shop", {"defaults": None})
    assert (await tower.ok("POST", FLAGS, {"key": "three"}))["rollout"] == 100.0


async def test_defaults_that_no_flag_could_have_are_refused(tower: Tower) -> None:
    asks = {"when": [{"operator": "in_segment", "values": ["vip"]}], "rollout": 100}
    for defaults, field in (
        ({"rollout": 101}, "defaults.rollout"),
        ({"type": "string"}, "defaults.variants"),
        ({"key": "one"}, "defaults.key"),
        ({"rules": [asks]}, "defaults.rules[0].when[0].values[0]"),
        ({"colour": 1}, "defaults.colour"),
    ):
        assert (await tower.call("PATCH", "/apps/shop", {"defaults": defaults})).error == (400, "INVALID", field)
        assert (await tower.call("POST", "/apps", {"key": "desk", "defaults": defaults})).error == (
            400,
            "INVALID",
            field,
        )
    assert (await tower.call("GET", "/apps/desk")).status == 404
    await tower.ok("POST", "/apps/shop/segments", {"key": "vip", "include": ["u"]})
    await tower.ok("PATCH", "/apps/shop", {"defaults": {"rules": [asks]}})
    await tower.ok("DELETE", "/apps/shop/segments/vip")
    refused = await tower.call("POST", FLAGS, {"key": "one"})
    assert refused.error == (400, "INVALID", "rules[0].when[0].values[0]")
    assert "the app's defaults" in refused.body["detail"]


async def test_app_asks_for_a_reason(bench: TowerBench, tower: Tower) -> None:
    assert (await tower.ok("PATCH", "/apps/shop", {"requires_reason": True}))["requires_reason"]
    segments = "/apps/shop/segments"
    missing = (400, "REASON_REQUIRED", "Tailslide-Reason")
    assert (await tower.call("POST", FLAGS, {"key": "one"})).error == missing
    assert (await tower.call("POST", segments, {"key": "vip"})).error == missing
    because: dict[str, Any] = {"Tailslide_Reason": "payments"}
    assert (await tower.call("POST", FLAGS, {"key": "one"}, **because)).status == 201
    assert (await tower.call("POST", segments, {"key": "vip"}, **because)).status == 201
    for method, path in (
        ("PATCH", f"{FLAGS}/one"),
        ("POST", f"{FLAGS}/one/toggle"),
        ("POST", f"{FLAGS}/one/circuit/reset"),
        ("POST", f"{FLAGS}/one/archive"),
        ("DELETE", f"{FLAGS}/one"),
        ("PATCH", f"{segments}/vip"),
        ("POST", f"{segments}/vip/members"),
        ("DELETE", f"{segments}/vip"),
    ):
        assert (await tower.call(method, path)).error == missing, path
    assert (await tower.call("POST", f"{FLAGS}/one/toggle", **because)).status == 200
    assert (await tower.call("POST", f"{FLAGS}/one/evaluate", {"targeting_keys": ["u"]})).status == 200
    async with bench.connection() as connection:
        assert await connection.fetchval("SELECT reason FROM log WHERE action = 'flag.toggled'") == "payments"


async def test_flag_says_what_it_is_for(tower: Tower) -> None:
    made = await tower.ok("POST", FLAGS, {"key": "one", "tags": ["  Front  End", "front end", "a"]})
    assert (made["name"], made["tags"], made["owner"], made["lifetime"]) == (
        "one",
        ["a", "front end"],
        None,
        "permanent",
    )
    noted = {"name": "One", "owner": "team@example.org", "lifetime": "temporary", "expected_end": "2026-12-31"}
    changed = await tower.ok("PATCH", f"{FLAGS}/one", noted)
    assert ({name: changed[name] for name in noted}, changed["version"]) == (noted, 2)
    assert (await tower.ok("PATCH", f"{FLAGS}/one", noted))["version"] == 2
    permanent = await tower.ok("PATCH", f"{FLAGS}/one", {"lifetime": "permanent", "name": None})
    assert (permanent["expected_end"], permanent["name"]) == (None, "one")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tags": ["a,b"]}, "tags[0]"),
        ({"tags": ["x" * 51]}, "tags[0]"),
        ({"tags": [str(n) for n in range(21)]}, "tags"),
        ({"name": "  "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"owner": "x" * 201}, "owner"),
        ({"lifetime": "short"}, "lifetime"),
        ({"lifetime": "temporary", "expected_end": "2026-13-01"}, "expected_end"),
        ({"lifetime": "temporary", "expected_end": "20261231"}, "expected_end"),
        ({"expected_end": "2026-12-31"}, "expected_end"),
    ],
)
async def test_what_cannot_be_noted_is_refused_by_field(tower: Tower, fields: dict[str, Any], field: str) -> None:
    answer = await tower.call("POST", FLAGS, {"key": "one", **fields})
    assert answer.error == (400, "INVALID", field)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["desk.new-desk", "shop.dark-mode", "shop.new-checkout"]),
        ("q=NEW", ["desk.new-desk", "shop.new-checkout"]),
        ("q=pay", ["shop.new-checkout"]),
        ("q=%C3%BCberzeugt", ["shop.dark-mode"]),
        ("q=100%20%25", ["shop.dark-mode"]),
        ("q=1_0", []),
        ("tag=q3", ["desk.new-desk", "shop.new-checkout"]),
        ("tag=Q3,payment", ["shop.new-checkout"]),
        ("owner=ada@EXAMPLE.org", ["shop.new-checkout"]),
        ("active=true", ["desk.new-desk", "shop.dark-mode"]),
        ("active=false&q=new", ["shop.new-checkout"]),
        ("archived=true", ["shop.old"]),
        ("archived=all&tag=payment", ["shop.new-checkout", "shop.old"]),
        ("app=shop", ["shop.dark-mode", "shop.new-checkout"]),
        ("app=shop,desk&limit=2", ["desk.new-desk", "shop.dark-mode"]),
        ("app=none", []),
        ("after=shop.dark-mode", ["shop.new-checkout"]),
    ],
)
async def test_flags_of_all_apps_are_filtered(catalogue: Tower, query: str, found: list[str]) -> None:
    assert await keys(catalogue, query) == found
    of_shop = [key for key in found if key.startswith("shop.")]
    if "app=" not in query and "after" not in query:
        assert await keys(catalogue, query, FLAGS) == of_shop


async def test_pages_of_all_flags_are_gone_through(catalogue: Tower) -> None:
    found, after = [], ""
    while True:
        page = await catalogue.ok("GET", f"/flags?limit=1&archived=all&after={after}")
        found += [f"{flag['app']}.{flag['key']}" for flag in page["flags"]]
        if (after := page["next"]) is None:
            break
    assert found == ["desk.new-desk", "shop.dark-mode", "shop.new-checkout", "shop.old"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=shop", "after"),
        ("app=A", "app"),
        ("archived=maybe", "archived"),
        ("active=perhaps", "active"),
        ("tag=" + "x" * 51, "tag"),
    ],
)
async def test_filters_that_cannot_be_are_refused(tower: Tower, query: str, field: str) -> None:
    assert (await tower.call("GET", f"/flags?{query}")).error == (400, "INVALID", field)


async def test_segment_keys_that_differ_only_by_case_are_warned_of(tower: Tower) -> None:
    await tower.ok("POST", "/apps/shop/segments", {"key": "vip"})
    made = await tower.ok("POST", "/apps/shop/segments", {"key": "VIP"})
    assert made["warnings"] == ['the app has a segment "vip" too, which differs only by upper and lower case']
    assert len((await tower.ok("GET", "/apps/shop/segments/vip"))["warnings"]) == 1
