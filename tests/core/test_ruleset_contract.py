"""What schema 2 of rulesets adds to them, as it is written and read; what all contracts share is `test_contracts`."""

import orjson
import pytest
from contract_samples import REMOVED, RULESET, WHOLE_RULESET, changed
from hypothesis import given
from strategies import rulesets

from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import TurnedOff, decode_ruleset, encode_ruleset, ruleset_json, turned_off
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import Requirement, Ruleset
from tailslide_core.variants import ALL_ON, ON_OFF, Share, ValueType, Variant


def test_all_that_schema_2_adds_is_read_field_by_field() -> None:
    flag = decode_ruleset(orjson.dumps(WHOLE_RULESET))
    assert (flag.key, flag.type, flag.off_variant, flag.bucket_by) == ("Theme.new", ValueType.STRING, "blue", "company")
    assert flag.variants == (Variant("blue", "#00f"), Variant("green", "#0f0"), Variant("red", "#f00"))
    assert flag.split == (Share("green", 3), Share("blue", 1))
    assert flag.requires == (Requirement("new-api", frozenset({"v2"})), Requirement("Ads"))
    assert flag.metadata == (("ticket", "SHOP-12"), ("cost", 1.5), ("owned", True), ("team", 7))
    assert [(rule.rollout, rule.split) for rule in flag.rules] == [(50.0, (Share("red", 1),)), (100.0, None)]
    assert [flag.rule_name(index) for index in range(2)] == ["germany", "2"]


@given(rulesets)
def test_a_ruleset_that_is_written_whole_is_the_same(ruleset: Ruleset) -> None:
    written = ruleset_json(ruleset, whole=True)
    assert set(written) == set(WHOLE_RULESET)
    assert decode_ruleset(orjson.dumps(written)) == ruleset


def test_a_boolean_flag_that_says_nothing_more_is_written_without_the_new_fields() -> None:
    plain = decode_ruleset(orjson.dumps(RULESET))
    assert (plain.type, plain.variants, plain.off_variant) == (ValueType.BOOLEAN, ON_OFF, "off")
    assert plain.split == ALL_ON
    assert (plain.bucket_by, plain.requires, plain.metadata) == (None, (), ())
    assert set(ruleset_json(plain)) == set(RULESET)


NAMED: list[tuple[dict[str, object], set[str]]] = [
    # What is written beyond the plain fields of a flag with these.
    ({"variants": {"on": True, "off": False}}, set()),
    ({"variants": {"on": True, "off": False}, "off_variant": "off", "split": [{"variant": "on", "weight": 1}]}, set()),
    ({"variants": {"off": False, "on": True}}, {"variants", "off_variant", "split"}),
    ({"variants": {"yes": True, "no": False}, "off_variant": "no"}, {"variants", "off_variant", "split"}),
    ({"off_variant": "on"}, {"off_variant", "split"}),
    ({"off_variant": "on", "split": [{"variant": "on", "weight": 1}]}, {"off_variant", "split"}),
    ({"split": [{"variant": "on", "weight": 2}]}, {"split"}),
    # To Python 1 equals True, and 0 False.
    (
        {"type": "number", "variants": {"on": 1, "off": 0}, "off_variant": "off"},
        {"type", "variants", "off_variant", "split"},
    ),
    (
        {"type": "number", "variants": {"on": 1.0, "off": 0.0, "more": 2}, "off_variant": "off",
         "split": [{"variant": "on", "weight": 1}]},
        {"type", "variants", "off_variant", "split"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "written"), NAMED, ids=range(len(NAMED)))
def test_what_a_reader_needs_of_variants_is_written_and_no_more(fields: dict[str, object], written: set[str]) -> None:
    flag = decode_ruleset(orjson.dumps(RULESET | fields))
    data = encode_ruleset(flag)
    assert set(orjson.loads(data)) - set(RULESET) == written
    assert decode_ruleset(data) == flag
    assert encode_ruleset(decode_ruleset(data)) == data


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"variants": {"on": 1, "off": 0}}, "off_variant"),
        ({"variants": {"on": 1, "off": 0}, "off_variant": "off"}, "variants.on"),
        ({"variants": {"on": True, "off": False, "maybe": True}}, "off_variant"),
        ({"variants": {"on": True, "off": False, "maybe": True}, "off_variant": "off"}, "split"),
        ({"off_variant": "Off"}, "off_variant"),
        ({"type": "string", "variants": {"a": "x", "b": "y"}, "off_variant": "c"}, "off_variant"),
        ({"type": "number", "variants": {"on": True, "off": False}}, "variants.on"),
        ({"type": "number", "variants": {"a": 2**53 + 1}, "off_variant": "a"}, "variants.a"),
        ({"type": "object", "variants": {"a": {"n": 2**53 + 1}}, "off_variant": "a"}, "variants.a"),
        ({"type": "string"}, "variants"),
    ],
)
def test_what_is_missing_of_variants_or_does_not_fit_is_named(fields: dict[str, object], field: str) -> None:
    values = fields.get("variants")
    some = next(iter(values)) if isinstance(values, dict) else "on"
    with_split = {} if field == "split" else {"split": [{"variant": some, "weight": 1}]}
    with pytest.raises(ContractError) as caught:
        decode_ruleset(orjson.dumps(RULESET | with_split | fields))
    assert caught.value.field == field
    assert " , " not in str(caught.value)


def test_one_other_variant_needs_no_split() -> None:
    fields = {"type": "string", "variants": {"blue": "#00f", "green": "#0f0"}, "off_variant": "blue"}
    assert decode_ruleset(orjson.dumps(RULESET | fields)).split == (Share("green", 1),)


def test_a_flag_that_has_nothing_but_its_off_variant_needs_no_split() -> None:
    fields = {"type": "number", "variants": {"none": 0}, "off_variant": "none"}
    assert decode_ruleset(orjson.dumps(RULESET | fields)).split == (Share("none", 1),)


def test_a_rule_may_give_one_variant() -> None:
    when = RULESET["rules"][0]["when"]
    for variant in ("on", "off"):
        (rule,) = decode_ruleset(orjson.dumps(RULESET | {"rules": [{"when": when, "variant": variant}]})).rules
        assert (rule.rollout, rule.split) == (100.0, (Share(variant, 1),))
    (rule,) = decode_ruleset(
        orjson.dumps(RULESET | {"rules": [{"when": when, "split": [{"variant": "on", "weight": 1}]}]})
    ).rules
    assert rule.rollout == 100.0


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 99},
        {"schema": 99, "rules": {"all": "different"}, "rollout": "some"},
        {"rules": [{"when": [{"attribute": "a", "operator": "resembles", "values": [1]}], "rollout": 5}]},
        {"type": "colour"},
        {"schema": None},
        {"rollout": 1_000},
    ],
)
def test_that_a_flag_is_turned_off_is_understood_whatever_else_is_not(changes: dict[str, object]) -> None:
    refused = RULESET | changes
    for active in (True, False):
        data = orjson.dumps(refused | {"active": active})
        with pytest.raises(ContractError):
            decode_ruleset(data)
        expected = None if active else TurnedOff(FlagId("checkout", "new-checkout"), 12)
        assert turned_off(data) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"active": None},
        {"active": 0},
        {"app": "Checkout"},
        {"key": "_x"},
        {"key": 5},
        {"version": -1},
        {"version": "1"},
    ],
)
def test_what_does_not_say_which_flag_is_off_turns_none_off(changes: dict[str, object]) -> None:
    assert turned_off(orjson.dumps(RULESET | {"schema": 99, "active": False} | changes)) is None
    assert turned_off(b"[]") is None
    assert turned_off(b"{") is None


WRONG_WHOLE_RULESETS: list[tuple[list[str | int], object, str]] = [
    (["type"], "text", "type"),
    (["type"], None, "type"),
    (["type"], "number", "variants.blue"),
    (["type"], "boolean", "variants.blue"),
    (["type"], "object", "variants.blue"),
    (["variants"], REMOVED, "variants"),
    (["variants"], None, "variants"),
    (["variants"], {}, "variants"),
    (["variants"], ["blue"], "variants"),
    (["variants", "blue"], 5, "variants.blue"),
    (["variants", "blue"], None, "variants.blue"),
    (["variants", "_blue"], "x", "variants"),
    (["variants", "a..b"], "x", "variants"),
    (["off_variant"], REMOVED, "off_variant"),
    (["off_variant"], "off", "off_variant"),
    (["off_variant"], "Blue", "off_variant"),
    (["off_variant"], 5, "off_variant"),
    (["split"], REMOVED, "split"),
    (["split"], None, "split"),
    (["split"], [], "split"),
    (["split"], {"blue": 1}, "split"),
    (["split"], ["blue"], "split[0]"),
    (["split", 0, "variant"], "pink", "split[0].variant"),
    (["split", 0, "variant"], REMOVED, "split[0].variant"),
    (["split", 1, "weight"], REMOVED, "split[1].weight"),
    (["split", 1, "weight"], -1, "split[1].weight"),
    (["split", 1, "weight"], 0.5, "split[1].weight"),
    (["split", 1, "weight"], True, "split[1].weight"),
    (["split", 1, "weight"], 1_000_001, "split[1].weight"),
    (["split", 1, "variant"], "green", "split"),
    (["split"], [{"variant": "green", "weight": 0}, {"variant": "red", "weight": 0}], "split"),
    (["bucket_by"], "", "bucket_by"),
    (["bucket_by"], 5, "bucket_by"),
    (["requires"], "new-api", "requires"),
    (["requires", 0], "new-api", "requires[0]"),
    (["requires", 0, "flag"], REMOVED, "requires[0].flag"),
    (["requires", 0, "flag"], "_x", "requires[0].flag"),
    (["requires", 0, "variants"], [], "requires[0].variants"),
    (["requires", 0, "variants"], "v2", "requires[0].variants"),
    (["requires", 0, "variants"], ["v2", 5], "requires[0].variants[1]"),
    (["requires", 0, "variants"], ["a b"], "requires[0].variants"),
    (["requires", 1, "flag"], "new-api", "requires"),
    (["requires"], [{"flag": f"f{n}"} for n in range(21)], "requires"),
    (["metadata"], [], "metadata"),
    (["metadata", "ticket"], None, "metadata.ticket"),
    (["metadata", "ticket"], ["SHOP-12"], "metadata.ticket"),
    (["metadata", "ticket"], 2**53 + 1, "metadata.ticket"),
    (["metadata"], {f"m{n}": n for n in range(51)}, "metadata"),
    (["rules", 0, "name"], "1 2", "rules[0].name"),
    (["rules", 0, "name"], 5, "rules[0].name"),
    (["rules", 0, "name"], "2", "rules[1].name"),
    (["rules", 1, "name"], "germany", "rules[1].name"),
    (["rules", 0, "split"], [], "rules[0].split"),
    (["rules", 0, "split", 0, "variant"], "pink", "rules[0].split[0].variant"),
    (["rules", 0, "split", 0, "weight"], 0, "rules[0].split"),
    (["rules", 0, "split", 0, "weight"], "1", "rules[0].split[0].weight"),
    (["rules", 0, "variant"], "red", "rules[0].variant"),
    (["rules", 1, "variant"], "red", "rules[1].variant"),
    (["rules", 1], {"when": RULESET["rules"][0]["when"], "variant": "pink"}, "rules[1].variant"),
    (["rules", 1], {"when": RULESET["rules"][0]["when"], "variant": 5}, "rules[1].variant"),
    (["rules", 1], {"when": RULESET["rules"][0]["when"]}, "rules[1].rollout"),
]


@pytest.mark.parametrize(
    ("path", "new", "field"), WRONG_WHOLE_RULESETS, ids=lambda part: str(part) if isinstance(part, list) else None
)
def test_a_wrong_field_is_named_with_its_path(path: list[str | int], new: object, field: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode_ruleset(changed(WHOLE_RULESET, path, new))
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: expected ")
    assert len(str(caught.value)) < 250
