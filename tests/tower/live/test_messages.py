"""Messages of the live socket: how they are read, and that the page names all there are."""

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId
from tailslide_tower.live.messages import (
    EVERY_MS,
    CloseCode,
    PointsWanted,
    ServerMessage,
    SubscribeFields,
    Wanted,
    read_message,
)

PAGE = (Path(__file__).parents[3] / "docs" / "live.md").read_text()


def test_a_subscription_is_read() -> None:
    asked = read_message(
        '{"subscribe": {"apps": ["shop"], "flags": ["clinic.a.b"], "log": true, "sidecars": true, "snapshot": false,'
        ' "points": {"flags": ["shop.a", "shop.a"], "every_ms": 5000}}, "since": "12"}'
    )
    assert asked.since == 12
    assert asked.wanted == Wanted(
        apps=frozenset({"shop"}),
        flags=frozenset({FlagId("clinic", "a.b")}),
        log=True,
        sidecars=True,
        snapshot=False,
        points=PointsWanted((FlagId("shop", "a"),), 5_000),
    )
    assert asked.wanted.named_apps() == {"shop", "clinic"}
    assert asked.wanted.has_flag(FlagId("shop", "x"))
    assert not asked.wanted.has_flag(FlagId("clinic", "x"))


def test_every_app_is_a_star() -> None:
    wanted = read_message('{"subscribe": {"apps": "*"}}').wanted
    assert wanted.every_app
    assert wanted.has_app("any")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "message"),
        ("[1]", "message"),
        ('{"subscribe": {}, "subscribe": {}}', "message"),
        ('{"subscribe": {"apps": "shop"}}', "subscribe.apps"),
        ('{"subscribe": {"apps": ["a", "B"]}}', "subscribe.apps[1]"),
        ('{"subscribe": {"flags": ["a.b", "a"]}}', "subscribe.flags[1]"),
        ('{"subscribe": {"log": 1}}', "subscribe.log"),
        ('{"subscribe": {"refresh_ms": 1000}}', "subscribe.flags"),
        ('{"subscribe": {"flags": ["a.b"], "refresh_ms": 7}}', "subscribe.refresh_ms"),
        ('{"subscribe": {}, "since": 5}', "since"),
        ('{"subscribe": {}, "since": "-5"}', "since"),
        ('{"subscribe": {}, "since": "٣"}', "since"),
        ('{"subscribe": {}, "since": "9999999999999999999"}', "since"),
    ],
)
def test_what_is_not_understood_names_its_field(text: str, field: str) -> None:
    with pytest.raises(ContractError) as refused:
        read_message(text)
    assert refused.value.field.startswith(field)
    assert refused.value.problem.isprintable()


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(repr))
def test_no_text_is_more_than_refused(text: str) -> None:
    with pytest.raises(ContractError):
        read_message(text)


def test_the_page_names_each_message_each_field_and_each_code() -> None:
    union = get_args(ServerMessage)[0]
    types = {model.model_fields["type"].default for model in get_args(union)}
    assert (
        set(re.findall(r"^\| `(\w+)` \| ", PAGE.partition("## What comes")[2].partition("```")[0], re.MULTILINE))
        == types
    )
    fields = set(
        re.findall(r"^\| `(\w+)` \| ", PAGE.partition("## Subscribing")[2].partition("## What")[0], re.MULTILINE)
    )
    assert fields == set(SubscribeFields.model_fields)
    codes = set(map(int, re.findall(r"^\| (\d{4}) \| ", PAGE, re.MULTILINE)))
    assert codes == {int(code) for code in CloseCode} | {1009}
    assert all(str(each) in PAGE for each in EVERY_MS)
