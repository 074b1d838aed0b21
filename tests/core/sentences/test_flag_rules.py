"""One sentence for who gets what of a flag."""

from typing import Any

import pytest

from tailslide_core.conditions import Condition
from tailslide_core.operators import Operator
from tailslide_core.sentences.flag_rules import rules_in_words, segment_in_words
from tailslide_core.written_flags import new_ruleset, new_segment

WHEN = [{"attribute": "country", "operator": "in", "values": ["DE", "FR"]}]
STRING = {
    "active": True,
    "type": "string",
    "variants": {"blue": "b", "green": "g", "red": "r"},
    "off_variant": "blue",
    "split": [{"variant": "green", "weight": 3}, {"variant": "red", "weight": 1}],
}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "boolean, off: everybody gets off"),
        ({"active": True}, "boolean, on: everybody gets on"),
        ({"active": True, "rollout": 0}, "boolean, on: everybody gets off"),
        ({"active": True, "rollout": 0.5}, "boolean, on: 0.5% of users get on, the others off"),
        (
            {"active": True, "circuit": {"forced_open": True}},
            "boolean, on, but its circuit is forced open: everybody gets off",
        ),
        (
            {"active": True, "rollout": 20, "allow": ["a"], "deny": ["b", "c"]},
            "boolean, on: 2 users on the deny list get off; 1 user on the allow list get on; "
            "20% of all other users get on, the others off",
        ),
        (STRING, "string, on: everybody gets green (75%) or red (25%)"),
        (
            {**STRING, "rollout": 0, "rules": [{"when": WHEN, "variant": "red"}, {"when": WHEN, "rollout": 5}]},
            'string, on: where country is "DE" or "FR" (rule 1) everybody gets red; '
            'where country is "DE" or "FR" (rule 2) 5% of users get green (75%) or red (25%), the others blue; '
            "everybody else gets blue",
        ),
        (
            {"active": True, "rollout": 50, "bucket_by": "company"},
            "boolean, on: 50% of users get on, the others off; users with the same company get the same",
        ),
        (
            {"active": True, "requires": [{"flag": "api"}, {"flag": "colour", "variants": ["red", "green"]}]},
            "boolean, on where api gives another than its off variant and colour gives green or red, and off "
            "elsewhere: everybody gets on",
        ),
    ],
)
def test_who_gets_what(given: dict[str, Any], sentence: str) -> None:
    assert rules_in_words(new_ruleset("shop", "f", given)) == sentence


VALUES: dict[Operator, tuple[Any, ...]] = {
    Operator.BEFORE: ("2026-01-01T00:00:00Z",),
    Operator.AFTER: ("2026-01-01T00:00:00Z",),
    Operator.IP_IN: ("10.0.0.0/8",),
    Operator.EXISTS: (),
}


@pytest.mark.parametrize("operator", Operator)
def test_every_operator_can_be_said_with_its_opposite(operator: Operator) -> None:
    values = VALUES.get(operator, ("1",))
    said = []
    for negate in (False, True):
        assert Condition("a", operator, values, negate=negate)
        rule = {"when": [{"attribute": "a", "operator": operator, "values": list(values), "negate": negate}]}
        given = {"active": True, "rules": [{**rule, "rollout": 100}]}
        said.append(rules_in_words(new_ruleset("shop", "f", given)))
    assert said[0] != said[1]


@pytest.mark.parametrize(
    ("values", "negate", "word"),
    [([], False, "there"), ([False], False, "missing"), ([True], True, "missing"), ([False], True, "there")],
)
def test_whether_an_attribute_is_there(values: list[bool], negate: bool, word: str) -> None:
    when = [{"attribute": "a", "operator": "exists", "values": values, "negate": negate}]
    sentence = rules_in_words(new_ruleset("shop", "f", {"active": True, "rules": [{"when": when, "rollout": 100}]}))
    assert f"where a is {word} (rule 1)" in sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "0 users listed"),
        ({"include": ["a", "b"], "exclude": ["c"]}, "2 users listed, except 1 user"),
        ({"when": WHEN}, 'users where country is "DE" or "FR"'),
        ({"include": ["a"], "when": WHEN}, '1 user listed, and users where country is "DE" or "FR"'),
    ],
)
def test_who_is_in_a_segment(given: dict[str, Any], sentence: str) -> None:
    assert segment_in_words(new_segment("shop", "s", given)) == sentence


def test_many_values_are_counted() -> None:
    when = [{"operator": "in_segment", "values": list("abcdefgh")}]
    sentence = rules_in_words(new_ruleset("shop", "f", {"active": True, "rules": [{"when": when, "rollout": 100}]}))
    assert 'where the targeting key is in the segment "a", "b", "c", "d", "e" or 3 more (rule 1)' in sentence
