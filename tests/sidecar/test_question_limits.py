"""Questions that are too much are refused by name before they are evaluated, and honest ones are not."""

from urllib.parse import quote

import orjson
import pytest

from tailslide_core.conditions import Condition, Items, Operator
from tailslide_core.evaluation import Context
from tailslide_core.ruleset import Rule, Ruleset
from tailslide_core.work import NO_DEMANDS, Demands, demands_of
from tailslide_sidecar.answers import Answers
from tailslide_sidecar.evaluation_counts import EvaluationCounts
from tailslide_sidecar.flag_store import Content, FlagStore
from tailslide_sidecar.question_limits import (
    MAX_ATTRIBUTES,
    MAX_CONTEXT_BYTES,
    MAX_ITEMS,
    MAX_KEY_CHARACTERS,
    MAX_WORK,
    TooMuchError,
    bounded,
)

APP = "clinic"
FLAGS = 1_000
GROUPS = [f"group-{number:05d}" for number in range(500)]


def app_of(operator: Operator, flags: int = FLAGS) -> Answers:
    """Return the answers of an app whose flags all have a condition on `group`, which the last of `GROUPS` meets."""
    rules = (Rule((Condition("group", operator, (GROUPS[-1],)),), 100.0),)
    rulesets = [Ruleset(APP, f"f{number}", 1, True, 0.0, "salt", rules=rules) for number in range(flags)]
    store = FlagStore(APP)
    store.restore(Content({ruleset.key: ruleset for ruleset in rulesets}, {}))
    return Answers(store, EvaluationCounts(), is_stale=lambda: False)


def body(**context: object) -> bytes:
    return orjson.dumps({"context": {"targetingKey": "u1", **context}})


def query(groups: list[str]) -> str:
    return "&".join(["targeting_key=u1", *(f"group={quote(group)}" for group in groups)])


def test_hundreds_of_groups_and_thousands_of_flags_are_no_problem() -> None:
    answers = app_of(Operator.IN, flags=3_000)
    reply = answers.ofrep_all(body(group=GROUPS))
    assert reply.status == 200
    assert all(flag["value"] is True for flag in orjson.loads(reply.body)["flags"])
    reply = answers.native_all(query(GROUPS))
    assert reply.status == 200
    assert all(flag["active"] is True for flag in orjson.loads(reply.body)["flags"])


TOO_MUCH = [
    ({"group": ["x"] * (MAX_ITEMS + 1)}, "group", f"expected a list of at most {MAX_ITEMS} items, got {MAX_ITEMS + 1}"),
    ({"unasked": ["x"] * (MAX_ITEMS + 1)}, "unasked", f"expected a list of at most {MAX_ITEMS} items"),
    ({"targetingKey": "u" * (MAX_KEY_CHARACTERS + 1)}, "targetingKey", f"expected at most {MAX_KEY_CHARACTERS} char"),
    ({str(number): 1 for number in range(MAX_ATTRIBUTES + 1)}, None, f"expected at most {MAX_ATTRIBUTES} attributes"),
]


@pytest.mark.parametrize(("context", "field", "problem"), TOO_MUCH, ids=["items", "unasked", "key", "attributes"])
def test_what_is_too_much_is_refused_by_name_for_one_flag_and_for_all(
    context: dict[str, object], field: str | None, problem: str
) -> None:
    answers = app_of(Operator.IN, flags=1)
    details = f"context{'' if field is None else f'.{field}'}: {problem}"
    for reply in (answers.ofrep_one("f0", body(**context)), answers.ofrep_all(body(**context))):
        assert reply.status == 400
        said = orjson.loads(reply.body)
        assert said["errorCode"] == "INVALID_CONTEXT"
        assert said["errorDetails"].startswith(details)


@pytest.mark.parametrize("operator", [Operator.CONTAINS, Operator.STARTS_WITH])
def test_flags_times_items_are_bounded(operator: Operator) -> None:
    answers = app_of(operator)
    reply = answers.ofrep_all(body(group=GROUPS, country="DE"))
    assert reply.status == 400
    said = orjson.loads(reply.body)
    assert said["errorCode"] == "INVALID_CONTEXT"
    assert said["errorDetails"].startswith("context.group: expected lists and texts that can be compared")
    assert f"at most {MAX_WORK} units" in said["errorDetails"]
    assert answers.ofrep_one("f0", body(group=GROUPS)).status == 200
    assert answers.ofrep_all(body(group=GROUPS[-5:])).status == 200

    reply = answers.native_all(query(GROUPS))
    assert reply.status == 400
    error = orjson.loads(reply.body)["error"]
    assert (error["code"], error["field"]) == ("INVALID", "group")
    assert answers.native_one("f0", query(GROUPS)).status == 200


def test_a_long_key_in_a_query_is_named_as_there() -> None:
    answers = app_of(Operator.IN, flags=1)
    key = "u" * (MAX_KEY_CHARACTERS + 1)
    for reply in (answers.native_one("f0", f"targeting_key={key}"), answers.native_all(f"targeting_key={key}")):
        assert reply.status == 400
        assert orjson.loads(reply.body)["error"]["field"] == "targeting_key"


def test_a_body_that_is_too_large_is_not_even_parsed() -> None:
    answers = app_of(Operator.IN, flags=1)
    for reply in (
        answers.ofrep_one("f0", b"{" * (MAX_CONTEXT_BYTES + 1)),
        answers.ofrep_all(b"{" * (MAX_CONTEXT_BYTES + 1)),
    ):
        assert reply.status == 413
        said = orjson.loads(reply.body)
        assert said["errorCode"] == "GENERAL"
        assert said["errorDetails"] == (
            f"body: expected a context of at most {MAX_CONTEXT_BYTES} bytes, got {MAX_CONTEXT_BYTES + 1}"
        )


def test_what_a_client_calls_an_attribute_is_not_sent_back_in_whole() -> None:
    with pytest.raises(TooMuchError) as caught:
        bounded(Context("u1", {"x" * 10_000: ["y"] * (MAX_ITEMS + 1)}), NO_DEMANDS, "targetingKey")
    assert caught.value.field == "x" * 100


def test_lists_are_made_ready_and_all_else_stays() -> None:
    context = Context("u1", {"group": GROUPS, "country": "DE", "more": {"a": [1]}})
    asked = demands_of(
        Ruleset(APP, "f", 1, True, 0.0, "f", rules=(Rule((Condition("group", Operator.IN, ("a",)),), 1.0),))
    )
    key, attributes = bounded(context, asked, "targetingKey")
    groups = attributes["group"]
    assert isinstance(groups, Items)
    assert groups.values == GROUPS
    assert {**attributes, "group": GROUPS} == context.attributes
    assert key == "u1"


def demands(*names: str) -> Demands:
    rules = tuple(Rule((Condition(name, Operator.CONTAINS, ("ab",)),), 1.0) for name in names)
    return demands_of(Ruleset(APP, "f", 1, True, 0.0, "f", rules=rules))


def test_what_is_asked_for_by_a_path_is_made_ready_under_its_whole_name() -> None:
    user = {"groups": GROUPS, "plan": "pro", "other": GROUPS * 100}
    context = Context("u1", {"user": user, "a.b": None, "a": {"b": 5}})
    key, attributes = bounded(context, demands("user.groups", "user.plan", "user.gone", "a.b"), "targetingKey")
    groups = attributes["user.groups"]
    assert isinstance(groups, Items)
    assert groups.values == GROUPS
    assert {name: value for name, value in attributes.items() if name != "user.groups"} == {
        "user": user,
        "user.plan": "pro",
        "a.b": 5,
        "a": {"b": 5},
    }
    assert key == "u1"


def test_a_name_with_a_dot_comes_before_the_path() -> None:
    context = Context("u1", {"user": {"plan": "x" * 200_000}, "user.plan": "pro"})
    assert bounded(context, demands("user.plan"), "targetingKey") is context


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (["x"] * (MAX_ITEMS + 1), f"expected a list of at most {MAX_ITEMS} items, got {MAX_ITEMS + 1}"),
        (["ab" * 40_000] * 100, "expected lists and texts that can be compared"),
        ("x" * 8_000_000, "expected lists and texts that can be compared"),
    ],
    ids=["items", "texts", "text"],
)
def test_what_is_too_much_at_the_end_of_a_path_is_refused_by_the_paths_name(value: object, problem: str) -> None:
    context = Context("u1", {"user": {"groups": value}})
    with pytest.raises(TooMuchError, match=problem) as caught:
        bounded(context, demands("user.groups"), "targetingKey")
    assert caught.value.field == "user.groups"
    assert bounded(context, demands("user.plan"), "targetingKey") is context


def test_the_targeting_key_costs_what_its_conditions_ask() -> None:
    rules = tuple(Rule((Condition("targetingKey", Operator.MATCHES, ("(?:ab){200}",)),), 1.0) for _ in range(10))
    asked = demands_of(Ruleset(APP, "f", 1, True, 0.0, "f", rules=rules))
    assert bounded(Context("u1", {}), asked, "targeting_key") == Context("u1", {})
    with pytest.raises(TooMuchError) as caught:
        bounded(Context("u" * MAX_KEY_CHARACTERS, {"country": "DE"}), asked, "targeting_key")
    assert caught.value.field == "targeting_key"
