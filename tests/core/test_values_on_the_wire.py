"""Values that Python takes for equal and JSON does not, on their way through a ruleset."""

from typing import Any

import orjson
import pytest

from tailslide_core.contracts import decode_ruleset, encode_ruleset
from tailslide_core.errors import ContractError
from tailslide_core.variants import ON_OFF, Share, Variant

PLAIN = {"schema": 2, "app": "a", "key": "b", "version": 1, "active": True, "rollout": 5, "salt": "b"}


def test_numbers_under_the_names_of_a_boolean_flag_stay_numbers() -> None:
    numbers = {"type": "number", "variants": {"on": 1, "off": 0}, "off_variant": "off"}
    ruleset = decode_ruleset(orjson.dumps(PLAIN | numbers))
    assert ruleset.variants == (Variant("on", 1), Variant("off", 0))
    assert not any(isinstance(variant.value, bool) for variant in ruleset.variants)
    assert ruleset.split == (Share("on", 1),)
    assert orjson.loads(encode_ruleset(ruleset))["variants"] == {"on": 1, "off": 0}
    assert decode_ruleset(encode_ruleset(ruleset)) == ruleset


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "string", "variants": {"off": "a", "x": "b"}, "off_variant": "off"},
        {"variants": {"off": False, "on": True, "also": True}, "off_variant": "off", "split": [("on", 1)]},
        {"off_variant": "on", "split": [("on", 1)]},
        {"off_variant": "on"},
        {"split": [("on", 1), ("off", 1)]},
    ],
)
def test_what_looks_like_a_plain_flag_in_part_is_written_in_full(fields: dict[str, Any]) -> None:
    split = [{"variant": variant, "weight": weight} for variant, weight in fields.get("split", [])]
    ruleset = decode_ruleset(orjson.dumps(PLAIN | fields | {"split": split or None}))
    assert decode_ruleset(encode_ruleset(ruleset)) == ruleset


def test_a_boolean_flag_takes_no_numbers() -> None:
    with pytest.raises(ContractError, match="expected true or false, got 1") as caught:
        decode_ruleset(orjson.dumps(PLAIN | {"variants": {"on": 1, "off": 0}, "off_variant": "off"}))
    assert caught.value.field == "variants.on"


def test_the_variants_of_a_plain_flag_are_known_in_any_order() -> None:
    for variants in ({"on": True, "off": False}, {"off": False, "on": True}):
        assert decode_ruleset(orjson.dumps(PLAIN | {"variants": variants})).variants is ON_OFF
